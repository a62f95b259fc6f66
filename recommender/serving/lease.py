"""The lease of a publisher: one at a time per shop, lost when its holder stops renewing it."""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from redis.exceptions import RedisError

from recommender.errors import StoreUnavailable
from recommender.serving.scripts import RELEASE_LEASE, RENEW_LEASE, TAKE_LEASE, Scripts


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
    """Take the lease for the length of the context. Raises: StoreUnavailable if another has it."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
    taken_at = time.monotonic()
    other = scripts.run(TAKE_LEASE, [key], [owner, round(duration_s * 1000)])
    if other is not None:
        holder, left_ms = cast("tuple[bytes, int]", other)
        raise StoreUnavailable(
            f"lease {key}: held by {holder.decode(errors='replace')} "
            f"for another {left_ms / 1000:.1f} s; wait for that publisher"
        )
    try:
        yield Lease(scripts, key, owner, duration_s, taken_at)
    finally:
        with suppress(RedisError):
            scripts.run(RELEASE_LEASE, [key], [owner])
