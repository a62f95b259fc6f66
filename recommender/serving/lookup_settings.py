"""How a lookup reads: its settings, checked."""

import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path

from recommender.errors import ConfigError
from recommender.serving.core import Core
from recommender.serving.fallbacks import Snapshot
from recommender.serving.keys import Keys
from recommender.serving.logs import warn

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LookupSettings:
    """How lookups of one shop read. Raises: ConfigError for a malformed value."""

    url: str
    shop: str
    deadline_s: float
    cache_items: int
    snapshot: str | Path | None
    client_name: str

    def __post_init__(self) -> None:
        if not (self.deadline_s > 0 and math.isfinite(self.deadline_s)):
            raise ConfigError(f"lookup deadline {self.deadline_s!r} s: use a number above 0")
        if not re.fullmatch(r"[!-~]+", self.client_name):
            raise ConfigError(f"client name {self.client_name!r:.60}: use ASCII without spaces")

    def core(self) -> Core:
        """Make a core that has its snapshot and nothing else yet. Raises: ConfigError."""
        return Core(self.shop, cache_items=self.cache_items, snapshot=self._opened_snapshot())

    def _opened_snapshot(self) -> Snapshot | None:
        if not self.snapshot:
            return None
        try:
            return Snapshot(Path(self.snapshot), Keys(self.shop))
        except Exception as error:
            # A snapshot is for bad days only; a lookup works without one.
            warn(log, "event=snapshot_unreadable shop=%s reason=%.200s", self.shop, error)
            return None
