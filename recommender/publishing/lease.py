"""The lease of a publisher: one at a time per shop, lost when its holder stops renewing it."""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from recommender.errors import StoreUnavailable
from recommender.publishing.scripts import RELEASE_LEASE, RENEW_LEASE, TAKE_LEASE, Scripts
from recommender.serving.connection import STORE_ERRORS

POLL_S = 0.1
RENEWED_S = 0.5
"""An end of the lease that moved by more than this was renewed."""


@dataclass(slots=True)
class Lease:
    """A lease that is held. `owner` tells host and process to people, and is never used twice."""

    scripts: Scripts
    key: str
    owner: str
    duration_s: float
    renewed_at: float

    def keep(self) -> None:
        """Renew the lease once a third of it has passed. Raises: StoreUnavailable if it is lost."""
        now = time.monotonic()
        if now - self.renewed_at < self.duration_s / 3:
            return
        arguments = (self.owner, round(self.duration_s * 1000))
        if not self.scripts.run(RENEW_LEASE, [self.key], arguments):
            raise StoreUnavailable(
                f"lease {self.key}: lost after {now - self.renewed_at:.1f} s without renewal; "
                "another publisher may be at work, publish again"
            )
        self.renewed_at = now


@contextmanager
def held_lease(scripts: Scripts, key: str, duration_s: float) -> Iterator[Lease]:
    """Take the lease for the length of the context.

    A holder that was killed renews no more, so its lease is waited for; one that is at work is not.
    Raises: StoreUnavailable if another has it and renews it.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
    taken_at = _take(scripts, key, owner, duration_s)
    try:
        yield Lease(scripts, key, owner, duration_s, taken_at)
    finally:
        with suppress(*STORE_ERRORS):
            scripts.run(RELEASE_LEASE, [key], [owner])


def _take(scripts: Scripts, key: str, owner: str, duration_s: float) -> float:
    """Take the lease as soon as it is free; returns the time from which it counts."""
    expected: tuple[bytes, float] | None = None
    while True:
        now = time.monotonic()
        other = scripts.run(TAKE_LEASE, [key], [owner, round(duration_s * 1000)])
        if other is None:
            return now
        holder, left_ms = cast("tuple[bytes, int]", other)
        ends_at = now + left_ms / 1000
        first_holder, first_end = expected = expected or (holder, ends_at)
        if holder != first_holder or ends_at > first_end + RENEWED_S:
            raise StoreUnavailable(
                f"lease {key}: {holder.decode(errors='replace')} is publishing; "
                "run again when it is done"
            )
        time.sleep(min(max(left_ms / 1000, 0), POLL_S) + 0.001)
