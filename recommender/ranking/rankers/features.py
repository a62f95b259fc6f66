"""Features: what a learned ranker sees of an item and a candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, text_codes
from recommender.core.catalogue import Catalogue
from recommender.core.co_occurrence import DAY_S, CoOccurrence, values_at
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.vectors import Embeddings

HALF_LIVES = {"ever": np.inf, "season": 60.0, "month": 20.0}
WIDE, NARROW = 20, 5


@dataclass(frozen=True, slots=True)
class Features:
    """Features of pairs in one build; names and meanings are the same in every build of a recipe.

    Rates are shares, popularity is relative to the mean item, ages are days before the newest
    event; so what was learned of one time holds for another.
    """

    context: RankingContext
    rates: Mapping[str, CoOccurrence]
    of_users: CoOccurrence | None
    items: Mapping[str, FloatVector]
    labels: Mapping[str, Rows]

    @classmethod
    def of(cls, context: RankingContext) -> "Features":
        """Count what is counted once."""
        events = context.interactions
        rates = {name: context.rates(half_life_days=days) for name, days in HALF_LIVES.items()}
        of_users = context.rates("user") if _beside_users(events) else None
        return cls(context, rates, of_users, _items(events, rates), _labels(context.catalogue))

    def table(self, rows: Rows, candidates: Neighbours) -> tuple[tuple[str, ...], FloatMatrix]:
        """Names (f,) and values (m, f) of the m candidates found, asking row by asking row."""
        found = candidates.found
        asking = np.nonzero(found)[0].astype(np.int32)
        items = candidates.rows[found]
        pairs = _Pairs(rows, asking, rows[asking], items)
        columns: dict[str, NDArray[np.float32]] = {
            "inner product": candidates.scores[found] / np.float32(self.context.vectors.bound)
        }
        columns |= self._of_behaviour(pairs) | self._of_embeddings(pairs)
        for name, values in self.items.items():
            columns[f"{name} of the candidate"] = values[items]
        columns["support of the item"] = self.items["support"][pairs.seeds]
        columns |= self._of_catalogue(pairs)
        return tuple(columns), np.stack(list(columns.values()), axis=1).astype(np.float32)

    def _of_behaviour(self, pairs: "_Pairs") -> dict[str, FloatVector]:
        columns = {}
        for name, counted in self.rates.items():
            rates = counted.rates(pairs.rows)
            columns[f"rate, {name}"] = values_at(rates, pairs.asking, pairs.items)
        season = self.rates["season"]
        near = self.context.near_by_content()
        for width in (WIDE, NARROW):
            borrowed = season.borrowed(near, pairs.rows, width)
            columns[f"borrowed rate, {width}"] = values_at(borrowed, pairs.asking, pairs.items)
        columns["cosine of units"] = _cosine(season, columns["rate, season"], pairs)
        if self.of_users is not None:
            rates = self.of_users.rates(pairs.rows)
            columns["rate of users"] = values_at(rates, pairs.asking, pairs.items)
            columns["cosine of users"] = _cosine(self.of_users, columns["rate of users"], pairs)
        return columns

    def _of_embeddings(self, pairs: "_Pairs") -> dict[str, FloatVector]:
        return {
            f"cosine of {name}": _inner(origin, pairs)
            for name, origin in sorted(self.context.origins.by_name().items())
        }

    def _of_catalogue(self, pairs: "_Pairs") -> dict[str, FloatVector]:
        columns = {}
        for name, codes in self.labels.items():
            both = (codes[pairs.seeds] != NONE) & (codes[pairs.items] != NONE)
            same = (codes[pairs.seeds] == codes[pairs.items]).astype(np.float32)
            columns[f"same {name}"] = np.where(both, same, np.float32(np.nan))
        price = self.context.catalogue.price
        logs = np.log(np.where(price > 0, price, np.nan).astype(np.float32))
        columns["price ratio"] = logs[pairs.items] - logs[pairs.seeds]
        return columns


@dataclass(frozen=True, slots=True)
class _Pairs:
    """`asking` (m,) counts within the block `rows` (b,); `seeds` and `items` (m,) are rows."""

    rows: Rows
    asking: Rows
    seeds: Rows
    items: Rows


def _beside_users(events: Interactions) -> bool:
    """Whether there are users, and units finer than they."""
    return bool((events.user >= 0).any() and ((events.basket >= 0) | (events.session >= 0)).any())


def _items(events: Interactions, rates: Mapping[str, CoOccurrence]) -> dict[str, FloatVector]:
    columns = {"support": rates["ever"].support}
    for name, counted in rates.items():
        mean = max(float(counted.strength.mean()), 1e-9)
        columns[f"popularity, {name}"] = counted.strength / np.float32(mean)
    times = events.time.astype(np.float64)  # of one type, which is ten times as fast
    first = np.full(events.n_items, np.inf)
    np.minimum.at(first, events.item, times)
    last = np.full(events.n_items, -np.inf)
    np.maximum.at(last, events.item, times)
    for name, sold in (("first sold", first), ("last sold", last)):
        days = (events.newest - sold) / DAY_S
        columns[name] = np.where(np.isfinite(days), days, np.nan).astype(np.float32)
    return columns


def _labels(catalogue: Catalogue) -> dict[str, Rows]:
    top = [category.split(">")[0].strip() for category in catalogue.category]
    texts = {"category": catalogue.category, "top category": top, "brand": catalogue.brand}
    return {name: _codes(values) for name, values in texts.items()}


def _codes(values: Sequence[str]) -> Rows:
    codes, distinct = text_codes(values)
    blank = np.array([not text for text in distinct], dtype=bool)
    return np.where(blank[codes], NONE, codes).astype(np.int32)


def _cosine(counted: CoOccurrence, rate: FloatVector, pairs: _Pairs) -> FloatVector:
    counts = rate * (counted.strength[pairs.seeds] + np.float32(counted.prior))
    norms = np.sqrt(counted.strength[pairs.seeds] * counted.strength[pairs.items])
    cosine: FloatVector = np.divide(counts, norms, out=np.zeros_like(counts), where=norms > 0)
    return cosine


def _inner(origin: Embeddings, pairs: _Pairs) -> FloatVector:
    targets = origin.matrix if origin.targets is None else origin.targets
    known = (origin.support[pairs.seeds] > 0) & (origin.support[pairs.items] > 0)
    values = np.full(len(pairs.items), np.nan, dtype=np.float32)
    seeds, items = pairs.seeds[known], pairs.items[known]
    products = np.empty(len(seeds), dtype=np.float32)
    for start in range(0, len(seeds), 65_536):
        part = slice(start, start + 65_536)
        np.einsum("md,md->m", origin.matrix[seeds[part]], targets[items[part]], out=products[part])
    values[known] = products
    return values
