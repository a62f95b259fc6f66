"""Generation: one complete published build."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["live", "previous", "canary", "overlay", ""]


@dataclass(frozen=True, slots=True)
class Generation:
    """What Redis knows of one published build.

    `id` is the fence under which it was written; `lists_key` names the artifact that it was
    published from; `created_at` is epoch seconds of the server's clock. An overlay holds lists of
    a few items and lies on the full generation `base`, which is 0 for a full one.
    """

    id: int
    state: Literal["staging", "complete"]
    created_at: int
    recipe_digest: str
    lists_key: str
    n_items: int
    n_lists: int
    n_entries: int
    placements: tuple[str, ...] = ()
    base: int = 0
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Measures:
    """The counts of a build: items, events, entries, the share of lists with entries, coverage.

    `coverage` is the share of items that are in some list; `ndcg` is the offline metric, None where
    it was not measured. Shares are of the placement that has the least.
    """

    n_items: int
    n_events: int
    n_entries: int
    filled_share: float
    coverage: float
    ndcg: float | None = None

    @property
    def list_length(self) -> float:
        """Entries for each item, over all placements."""
        return self.n_entries / self.n_items if self.n_items else 0.0
