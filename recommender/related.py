"""What a reader gets: related items of one item, ready to show. Standard library only."""

from dataclasses import dataclass
from typing import Literal, get_args

Evidence = Literal["text", "behaviour", "both", "popular", "rule"]
Status = Literal["ok", "topped_up", "stale", "fallback", "unknown_item", "degraded"]

EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class RelatedItem:
    """One entry of a related list.

    `score` is in (0, 1], larger is nearer; `evidence` says what the entry rests on.
    """

    id: str
    score: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class RelatedList:
    """Related items of one item in one placement, best first.

    `generation` is the published build that answered, 0 where none did.
    """

    item: str
    placement: str
    generation: int
    status: Status
    items: tuple[RelatedItem, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the items, best first."""
        return tuple(item.id for item in self.items)
