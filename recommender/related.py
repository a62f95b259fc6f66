"""What a reader gets: related items of one item, ready to show. Standard library only."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

Evidence = Literal["text", "behaviour", "both", "popular", "rule"]
Status = Literal[
    "ok",
    "topped_up",
    "stale",
    "fallback",
    "unknown_item",
    "unknown_placement",
    "degraded",
]

EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
STATUSES: tuple[Status, ...] = get_args(Status)


class RelatedItem(NamedTuple):
    """One entry of a related list; a tuple, because pages make thousands of them.

    `score` is in (0, 1], larger is nearer; `evidence` says what the entry rests on.
    """

    id: str
    score: float
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class RelatedList:
    """Related items of one item in one placement, best first.

    `generation` is the published build that answered, 0 where none did. `token` is new for every
    answer: a page logs it with what was shown and clicked. `status` is
    - ok: the item's own list;
    - topped_up: the same, with best sellers behind it;
    - stale: an earlier list, Redis could not be read;
    - fallback: the shop's best sellers, Redis could not be read;
    - unknown_item, unknown_placement: the shop's best sellers, there is no such list;
    - degraded: nothing, Redis could not be read and nothing was at hand.
    """

    item: str
    placement: str
    generation: int
    status: Status
    items: tuple[RelatedItem, ...] = ()
    token: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the items, best first."""
        return tuple(item.id for item in self.items)
