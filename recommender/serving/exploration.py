"""Exploration: a share of the positions of a list goes to new items, so that events are made.

What nobody was shown gathers no clicks, and what has no clicks is not shown. With a share ε, each
position but the first is drawn with the probability ε, at most ε n of them rounded up (ε-greedy;
Sutton and Barto, Reinforcement Learning, 2.2). An item that takes a position replaces the entry.
"""

import math
import random
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from recommender.core.related import RelatedItem, RelatedList, with_explored
from recommender.serving.field_columns import Fields
from recommender.serving.filtering import ShownRecords
from recommender.serving.item_fields import LOWEST, FieldsReading
from recommender.serving.state import ListRequest

EXPLORED = frozenset({"ok", "topped_up"})
CANDIDATES = 30
"""Of so many new items, drawn at random, a list takes those that it may show."""


class Draw:
    """The positions of one list that new items take, and the items that may take them.

    The draw is the same for a `key`, such as a session id, a placement and the items of the list;
    without a key, each is another.
    """

    def __init__(self, answer: RelatedList, request: ListRequest, seed: str) -> None:
        query = request.query
        share = request.storefront.explore.get(query.placement, 0.0)
        text = "\0".join((query.key, query.placement, seed))
        self._random = random.Random(text) if query.key else random.Random()
        self.answer, self.request, self.seed = answer, request, seed
        allowed = answer.status in EXPLORED and query.lowest <= LOWEST
        self.places = self._drawn(share) if share and allowed else []

    def _drawn(self, share: float) -> list[int]:
        n = len(self.answer.ids)
        drawn = [place for place in range(1, n) if self._random.random() < share]
        most = math.ceil(share * n)
        return sorted(self._random.sample(drawn, most)) if len(drawn) > most else drawn

    def candidates(self, seed_fields: Fields) -> list[str]:
        """New items of the seed's top category that the shop may show."""
        top = seed_fields.get("top_category", "")
        new = self.request.storefront.new_items.get(str(top), ())
        barred = self.request.state.withheld | self.request.query.excluded | {self.seed}
        allowed = [item for item in new if item not in barred]
        return self._random.sample(allowed, min(len(allowed), CANDIDATES))


def explored(
    draw: Draw, candidates: Iterable[str], reading: FieldsReading, taken: AbstractSet[str]
) -> RelatedList:
    """The answer with candidates at the places of a draw: those that meet its condition.

    An item that is `taken`, by this list or by another of the page, is left out.
    """
    answer, where = draw.answer, reading.query.where
    entries = [RelatedItem(item, LOWEST, "rule") for item in candidates if item not in taken]
    if where is not None:  # where fields were not read, nobody knows whether it holds
        read = [entry for entry in entries if reading.has_read(entry.id)]
        entries = reading.meeting(read, where, draw.seed, len(draw.places))
    items = list(answer.items)
    for place, entry in zip(draw.places, entries, strict=False):
        items[place] = entry
    found = tuple([entry.id for entry in entries[: len(draw.places)]])
    if not found:
        return answer
    ids = [item.id for item in items]
    records = ShownRecords(ids, reading) if reading.query.records else ()
    return with_explored(answer, tuple(items), found, records)
