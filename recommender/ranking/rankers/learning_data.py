"""What a learned ranker learns from: the features of a pair, and how relevant a candidate was."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, Rows
from recommender.core.catalogue import Catalogue, brand_codes, category_codes
from recommender.core.co_occurrence import LARGEST_UNIT, CoOccurrence, values_at
from recommender.core.interactions import DAY_S, Interactions
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext
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
        """Names (f,) and values (m, f) of the m candidates found, row by row."""
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
    return {
        "category": category_codes(catalogue),
        "top category": category_codes(catalogue, level=1),
        "brand": brand_codes(catalogue),
    }


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


ASKED_PER_UNIT = 5
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Relevance:
    """The gain that each item brings to the list of a query item (n, n), sparse.

    Each unit of s items queries with each of them, at most `ASKED_PER_UNIT` times in all. Each of
    its other items gains an equal part of the ideal list's discounted gain, so a large unit weighs
    no more than a small one. Ranking by the mean gain maximises the average.
    """

    gains: sp.csr_array
    times_asked: NDArray[np.float64]

    @classmethod
    def of(cls, later: Interactions) -> "Relevance":
        """Count the units of 2 to 100 items."""
        units = later.matrix()
        sizes = np.diff(units.indptr)
        units = units[np.flatnonzero((sizes >= 2) & (sizes <= LARGEST_UNIT))]
        units.data = np.ones_like(units.data)
        sizes = np.diff(units.indptr)
        asks = np.minimum(1, ASKED_PER_UNIT / np.maximum(sizes, 1))
        discounts = np.concatenate([[1.0], np.cumsum(1 / np.log2(np.arange(2, SHOWN + 2)))])
        ideal = discounts[np.minimum(np.maximum(sizes - 1, 1), SHOWN)]
        gains = (units.T @ sp.diags_array(asks / ideal) @ units).tocsr()
        gains.sort_indices()
        return cls(gains, np.asarray(units.T @ asks))

    def drawn(self, rows: Rows, size: int, seed: int) -> Rows:
        """Draw at most `size` of the rows that query at all, frequent ones with a higher chance."""
        asking = rows[self.times_asked[rows] > 0]
        if len(asking) <= size:
            return asking
        weights = np.sqrt(self.times_asked[asking])
        rng = np.random.default_rng(seed)
        return np.sort(rng.choice(asking, size, replace=False, p=weights / weights.sum()))

    def grades(self, rows: Rows, candidates: Neighbours) -> NDArray[np.float64]:
        """The mean gain (b, k) of each candidate when its row queries."""
        asking = np.repeat(np.arange(len(rows), dtype=np.int32), candidates.rows.shape[1])
        gains = values_at(self.gains[rows], asking, candidates.rows.ravel())
        grades = gains.reshape(candidates.rows.shape) / self.times_asked[rows][:, None]
        return np.where(candidates.rows == NONE, 0, grades)
