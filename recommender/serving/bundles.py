"""Bundles: an item with two or three that are bought with it and with each other, at one price."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from recommender.core.related import RelatedItem, RelatedList
from recommender.serving.field_columns import Fields
from recommender.serving.item_fields import FieldsReading
from recommender.serving.storefront import BundleTerms

FEWEST, MOST = 2, 3
"""Companions of the item."""
CANDIDATES = 12
"""Companions are chosen among so many of the item's list, those with the highest scores."""
OWN_LIST = frozenset({"ok", "topped_up"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """An item, the first of `items`, and those that go with it; no items where no bundle holds.

    `full_price_minor` is the sum of the prices in minor units of the `currency`, `price_minor` what
    is left of it after the `discount`, a share of it. `score` is the lowest of all pairs. Without
    items, `reason` says why; `dropped` counts by reason the entries of the list that could not be
    in a bundle.
    """

    item: str
    placement: str
    generation: int
    items: tuple[str, ...] = ()
    records: tuple[Fields, ...] = field(default=(), compare=False)
    full_price_minor: int = 0
    price_minor: int = 0
    currency: str = ""
    discount: float = 0.0
    score: float = 0.0
    reason: str = ""
    dropped: Mapping[str, int] = field(default_factory=dict)
    language: str = ""
    token: str = ""


@dataclass(frozen=True, slots=True)
class Bundling:
    """The choice of a bundle for the item of `answer`, of `most` companions or of fewer."""

    answer: RelatedList
    terms: BundleTerms
    most: int

    def companions(self) -> list[RelatedItem]:
        """The entries of the item's own list that score enough, without best sellers behind it."""
        if self.answer.status not in OWN_LIST:
            return []
        bought = [entry for entry in self.answer.items if entry.evidence != "popular"]
        return [entry for entry in bought if entry.score >= self.terms.min_score][:CANDIDATES]

    def without(self, reason: str, dropped: Mapping[str, int] | None = None) -> Bundle:
        """The answer that there is no bundle, and why."""
        answer = self.answer
        return Bundle(
            *(answer.item, answer.placement, answer.generation),
            reason=reason,
            dropped=dropped or {},
            token=answer.token,
        )

    def chosen(self, lists: Sequence[RelatedList], reading: FieldsReading) -> Bundle:
        """The bundle whose companions have the highest sum of scores in the item's own list.

        `lists` are those of the companions, which say how they go with each other.
        """
        answer = self.answer
        if answer.status not in OWN_LIST:
            return self.without(f"{answer.placement}: {answer.status.replace('_', ' ')}")
        companions = self.companions()
        low = len(answer.items) - len(companions)
        dropped = {"score": low} if low else {}
        if len(companions) < FEWEST:
            return self.without(
                f"{len(companions)} of its items score {self.terms.min_score:g}", dropped
            )
        if not reading.complete:
            return self.without("the records could not be read", dropped)
        seed = reading.of(answer.item)
        if fault := _fault(seed, seed):
            return self.without(f"the item itself: {fault}", dropped)
        able = []
        for entry in companions:
            if fault := _fault(reading.of(entry.id), seed):
                dropped[fault] = dropped.get(fault, 0) + 1
            else:
                able.append(entry)
        return self._best(able, lists, reading, dropped)

    def _best(
        self,
        able: Sequence[RelatedItem],
        lists: Sequence[RelatedList],
        reading: FieldsReading,
        dropped: Mapping[str, int],
    ) -> Bundle:
        pairs = _pair_scores(lists)
        scored = [
            (sum(entry.score for entry in group), min(scores), group)
            for size in range(FEWEST, self.most + 1)
            for group in combinations(able, size)
            if min(scores := [*_scores(group, pairs)]) >= self.terms.min_score
        ]
        if scored:
            _, lowest, group = max(scored, key=lambda one: one[:2])
            return self._made([entry.id for entry in group], lowest, reading, dropped)
        if len(able) < FEWEST:
            return self.without("too few of its items can be sold with it", dropped)
        return self.without(
            f"no {FEWEST} of its items score {self.terms.min_score:g} with each other", dropped
        )

    def _made(
        self, ids: list[str], score: float, reading: FieldsReading, dropped: Mapping[str, int]
    ) -> Bundle:
        answer, items = self.answer, (self.answer.item, *ids)
        records = tuple(reading.of(item) for item in items)
        full = sum(int(record["price_minor"]) for record in records)
        paths = records[0].get("categories") or [records[0].get("category") or ""]
        discount = self.terms.discount_of(paths)
        return Bundle(
            *(answer.item, answer.placement, answer.generation, items, records),
            full_price_minor=full,
            price_minor=full - round(full * discount),
            currency=str(records[0].get("currency", "")),
            discount=discount,
            score=score,
            dropped=dropped,
            language=reading.language,
            token=answer.token,
        )


def _fault(fields: Fields, seed: Fields) -> str:
    """Why an item cannot be sold with the seed, "" where it can."""
    stock: Any = fields.get("stock")
    if fields.get("in_stock") is False or not (isinstance(stock, int | float) and stock > 0):
        return "stock"
    if not isinstance(fields.get("price_minor"), int):
        return "price"
    return "" if fields.get("currency") == seed.get("currency") else "currency"


def _pair_scores(lists: Sequence[RelatedList]) -> dict[frozenset[str], float]:
    """The score of each pair of companions, the higher of their two lists'."""
    scores: dict[frozenset[str], float] = {}
    for one in lists:
        for entry in one.items if one.status in OWN_LIST else ():
            if entry.evidence != "popular":
                pair = frozenset((one.item, entry.id))
                scores[pair] = max(scores.get(pair, 0.0), entry.score)
    return scores


def _scores(group: Sequence[RelatedItem], pairs: Mapping[frozenset[str], float]) -> Iterator[float]:
    """The scores of all pairs of a bundle."""
    for entry in group:
        yield entry.score
    for one, other in combinations(group, 2):
        yield pairs.get(frozenset((one.id, other.id)), 0.0)
