"""What a lookup logs: little, and never at the price of an answer."""

import logging
import threading
import time
from contextlib import suppress

from recommender.serving.connection import hint

LOG_INTERVAL_S = 1.0
MAX_LOGGED_PLACEMENTS = 100


def warn(log: logging.Logger, message: str, *values: object) -> None:
    """Log a warning. A handler or a filter of the application that raises loses the line alone."""
    with suppress(Exception):
        log.warning(message, *values)


class LookupLog:
    """Logs at most one failure of a shop a second, and each unknown placement once."""

    def __init__(self, log: logging.Logger, shop: str) -> None:
        self._log = log
        self._shop = shop
        self._lock = threading.Lock()
        self._next = 0.0
        self._placements: set[str] = set()

    def failure(self, event: str, error: BaseException) -> None:
        """Log `event` with the error's name and its message in one line."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + LOG_INTERVAL_S
        reason = " ".join(str(error).split())
        remedy = hint(reason)
        warn(
            self._log,
            "event=%s shop=%s error=%s reason=%.200s",
            event,
            self._shop,
            type(error).__name__,
            f"{reason}; {remedy}" if remedy else reason,
        )

    def unknown_placement(self, placement: str) -> None:
        """Log a placement that was not published, for the first `MAX_LOGGED_PLACEMENTS`."""
        if placement not in self._placements and len(self._placements) < MAX_LOGGED_PLACEMENTS:
            self._placements.add(placement)
            message = "event=unknown_placement shop=%s placement=%.60r"
            warn(self._log, message, self._shop, placement)
