"""Features of pairs of items, from which a ranker learns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, products_of_pairs
from recommender.core.catalogue import Catalogue
from recommender.core.co_occurrence import CoOccurrence, values_at
from recommender.core.interactions import DAY_S, Interactions
from recommender.core.labels import Labels
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.protocols import RankingContext
from recommender.core.vectors import Embeddings
from recommender.vectors.behaviour.ease import ease_weights

PART_OF_SPAN = 0.25
LATEST = 1 / 3
WIDE, NARROW = 20, 5
POWERS = 0.5, 0.1
CONTENT_WEIGHT = 0.3
OTHERS_PRIOR = 5.0
EASE_ITEMS_MAX = 5_000
SIMPLE = {
    "inner product": "item vectors",
    "rate, ever": "co-occurrence",
    "cosine, ever": "cosine",
    "weak cosine, ever": "item-kNN",
    "weak cosine and content": "item-kNN and content",
    "EASE": "EASE",
    "popularity, ever of the candidate": "best sellers",
}
"""Features that order candidates well by themselves, with what these orders are called.

A learned order has to beat each of them. There is no EASE where more than 5,000 items have events.
"""


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
    labels: Mapping[str, Labels]
    others: FloatVector
    ease: Mapping[str, FloatMatrix]

    @classmethod
    def of(cls, context: RankingContext) -> "Features":
        """Count what is counted once."""
        events = context.interactions
        rates = {
            name: context.rates(half_life_days=days) for name, days in half_lives(context).items()
        }
        of_users = context.rates("user") if _beside_users(events) else None
        return cls(
            context,
            rates,
            of_users,
            _items(events, rates),
            _labels(context.catalogue),
            _others(rates["ever"].units),
            _ease({"EASE": rates["ever"], "EASE of users": of_users}),
        )

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
        near = [columns[f"cosine of {name}"] for name in self.context.origins.content]
        nearness = np.nan_to_num(np.mean(near, axis=0))
        columns["weak cosine and content"] = (
            columns["weak cosine, ever"] + np.float32(CONTENT_WEIGHT) * nearness
        )
        for name, weights in self.ease.items():
            columns[name] = weights[pairs.seeds, pairs.items]
        for name, values in self.items.items():
            columns[f"{name} of the candidate"] = values[items]
        columns["support of the item"] = self.items["support"][pairs.seeds]
        ages = self.items["mean age"]
        columns["mean age, difference"] = ages[pairs.seeds] - ages[pairs.items]
        columns |= self._of_catalogue(pairs)
        stacked = np.stack([column.astype(np.float32, copy=False) for column in columns.values()])
        return tuple(columns), stacked.T

    def _of_behaviour(self, pairs: "_Pairs") -> dict[str, FloatVector]:
        columns = {}
        for name, counted in self.rates.items():
            rates = counted.rates(pairs.rows)
            columns[f"rate, {name}"] = values_at(rates, pairs.asking, pairs.items)
        recent = self.rates["recent"]
        near = self.context.near_by_content()
        for width in (WIDE, NARROW):
            borrowed = recent.borrowed(near, pairs.rows, width)
            columns[f"borrowed rate, {width}"] = values_at(borrowed, pairs.asking, pairs.items)
        columns["cosine, recent"] = _cosine(recent, columns["rate, recent"], pairs)
        columns |= _of_counts(self.rates["ever"], columns["rate, ever"], pairs)
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
        for name, labels in self.labels.items():
            both = (labels.own[pairs.seeds] != NONE) & (labels.own[pairs.items] != NONE)
            same = labels.shared(pairs.seeds, pairs.items).astype(np.float32)
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


def half_lives(context: RankingContext) -> dict[str, float]:
    """None, the shop's own (a quarter of its history where nothing grows old), and a third of it.

    In days; inf for none.
    """
    times = context.interactions.time[context.interactions.time > 0]
    span = float(np.ptp(times)) / DAY_S if len(times) else 0.0
    recent = context.rates(half_life_days="auto").half_life_days
    if np.isinf(recent):
        recent = max(PART_OF_SPAN * span, 1.0)
    return {"ever": np.inf, "recent": recent, "latest": LATEST * recent}


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
    counts = np.bincount(events.item, minlength=events.n_items)
    total = np.bincount(events.item, times, minlength=events.n_items)
    mean = np.divide(total, counts, out=np.full(events.n_items, np.nan), where=counts > 0)
    for name, sold in (("first sold", first), ("last sold", last), ("mean age", mean)):
        days = (events.newest - sold) / DAY_S
        columns[name] = np.where(np.isfinite(days), days, np.nan).astype(np.float32)
    return columns


def _others(units: sp.csr_array) -> FloatVector:
    """How many other items are in a unit with each item (n,), shrunk towards the shop's mean."""
    sizes = np.diff(units.indptr)
    mean = float((sizes * (sizes - 1.0)).sum() / max(sizes.sum(), 1))
    held = np.bincount(units.indices, minlength=units.shape[1])
    others = np.bincount(units.indices, np.repeat(sizes - 1.0, sizes), minlength=units.shape[1])
    shrunk: FloatVector = ((others + OTHERS_PRIOR * mean) / (held + OTHERS_PRIOR)).astype(
        np.float32
    )
    return shrunk


def _ease(counted: Mapping[str, CoOccurrence | None]) -> dict[str, FloatMatrix]:
    """The weights of EASE (n, n) by name, where few enough items have events."""
    return {
        name: ease_weights(one.units)
        for name, one in counted.items()
        if one is not None and np.count_nonzero(one.support) <= EASE_ITEMS_MAX
    }


def _labels(catalogue: Catalogue) -> dict[str, Labels]:
    return {
        "category": Labels.of_categories(catalogue),
        "top category": Labels.of_categories(catalogue, level=1),
        "brand": Labels.of_brands(catalogue),
    }


def _of_counts(counted: CoOccurrence, rate: FloatVector, pairs: _Pairs) -> dict[str, FloatVector]:
    """What counts without decay say of pairs, more and less relative to how often both sell."""
    seeds, items = counted.strength[pairs.seeds], counted.strength[pairs.items]
    prior = np.float32(counted.prior)
    shared = rate * (seeds + prior)
    chance = seeds * items / max(float(counted.strength.sum()), 1e-9)
    powers = seeds ** POWERS[0] * items ** POWERS[1]
    return {
        "cosine, ever": _cosine(counted, rate, pairs),
        "weak cosine, ever": np.divide(shared, powers, out=np.zeros_like(shared), where=powers > 0),
        "rate back, ever": shared / (items + prior),
        "lift, ever": np.log((shared + prior) / (chance + prior)),
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
    values[known] = products_of_pairs(
        origin.matrix, targets, pairs.seeds[known], pairs.items[known]
    )
    return values
