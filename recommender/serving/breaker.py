"""When a store that fails is left alone, and how often that may be said."""

import logging
import threading
import time

FAILURES = 5
"""Failures in a row after which no request asks any more."""
COMPLAINT_INTERVAL_S = 1.0


class Breaker:
    """Open after `FAILURES` in a row; only `close`, after a probe, lets requests ask again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0
        self.opened = 0
        self.open = False

    def failed(self) -> None:
        """Count a failure or a missed deadline."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES and not self.open:
                self.open = True
                self.opened += 1

    def succeeded(self) -> None:
        """End the row of failures. An open breaker stays open: only a probe closes it."""
        if self._failures and not self.open:
            with self._lock:
                self._failures = 0

    def close(self) -> None:
        """A probe succeeded."""
        with self._lock:
            self._failures = 0
            self.open = False


class Complaints:
    """Warnings of one logger, at most one a second; what comes in between is not logged."""

    def __init__(self, log: logging.Logger, shop: str) -> None:
        self._log = log
        self._shop = shop
        self._lock = threading.Lock()
        self._next = 0.0

    def add(self, event: str, error: BaseException) -> None:
        """Log `event` with the error's name and its message in one line."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + COMPLAINT_INTERVAL_S
        self._log.warning(
            "event=%s shop=%s error=%s reason=%.200s",
            event,
            self._shop,
            type(error).__name__,
            " ".join(str(error).split()),
        )
