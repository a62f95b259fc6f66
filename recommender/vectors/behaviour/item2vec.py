"""Skip-gram with negative sampling over baskets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, Rows, unit_rows
from recommender.core.co_occurrence import WeightedUnits, popularity_lengths
from recommender.core.half_life import HalfLife, days_in, require_half_life
from recommender.core.interactions import Interactions, Unit, support
from recommender.core.telemetry import Advance, Progress
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError

LARGEST_BATCH, SMALLEST_BATCH, BATCHES = 4096, 64, 64
LEARNING_RATE = 0.01
FIRST_LENGTH = 0.5
FREQUENT = 10.0
SMOOTHING = 0.75
FAR_PAIRS = 5.0
HELD_OUT, HELD_OUT_PAIRS, PATIENCE = 0.05, 20_000, 2


@dataclass(frozen=True, slots=True)
class Item2Vec:
    """In and out vectors that separate the items of a basket from items drawn by popularity^0.75.

    An event counts half for every `half_life_days` of age (0: no decay) and is paired with one
    other item of its unit at a time, so a pass is linear in interactions whatever the sizes; events
    of items more than ten times as frequent as the average are thinned by the root of that. The
    `negatives` of a batch are shared. At most `iterations` passes: a first training holds out one
    unit in twenty and finds how many passes they profit from, a second one takes those on all.
    In vectors, centred and at length one, ask; out vectors, centred and at length
    (weight / largest weight)^`popularity`, are found.

    Source: Barkan, Koenigstein 2016, "Item2vec: neural item embedding for collaborative filtering".
    """

    unit: Unit = "auto"
    dimensions: int = 128
    iterations: int = 12
    negatives: int = 128
    half_life_days: HalfLife = "auto"
    popularity: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("dimensions", 4096), ("iterations", 1000), ("negatives", 100_000)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ConfigError(f"item2vec: {name} = {value} is not in 1..{most}")
        require_half_life(self.half_life_days, "item2vec")
        if not 0 <= self.popularity < np.inf:
            raise ConfigError(f"item2vec: popularity = {self.popularity} is below 0")

    def fit(self, interactions: Interactions, progress: Progress) -> Embeddings:
        """Embeddings (n, dimensions); zero rows for items that are never with another."""
        days = days_in(self.half_life_days, interactions, self.unit)
        units = WeightedUnits.of(interactions, self.unit, days, 0)
        known = support(interactions.matrix(self.unit))
        together = np.bincount(units.seen.indices, minlength=len(known)) > 0
        if not together.any():
            return Embeddings(np.zeros((len(known), self.dimensions), np.float32), known * 0)
        asked, found = self._trained(units, progress)
        lengths = popularity_lengths(units.item_weight, self.popularity)
        rows = Embeddings.of_rows(_centred(asked, together), known)
        bought = _centred(found, together) * (lengths * (rows.support > 0))[:, None]
        return Embeddings(rows.matrix, rows.support, bought)

    def _trained(self, units: WeightedUnits, progress: Progress) -> tuple[FloatMatrix, FloatMatrix]:
        rng = np.random.default_rng(self.seed)
        held = rng.random(len(units.weight)) < HELD_OUT
        with progress("fit item2vec", 2 * self.iterations) as advance:
            passes = self.iterations
            if held.any() and not held.all():
                exam = _Pairs.of(_part(units, held)).draw(rng, HELD_OUT_PAIRS)
                passes = self._passes(_part(units, ~held), exam, advance)
            skip_gram = self._untrained(units)
            for _ in range(passes):
                skip_gram.run_pass()
                advance(1)
            return skip_gram.vectors()

    def _passes(self, units: WeightedUnits, exam: tuple[Rows, Rows], advance: Advance) -> int:
        """The number of passes after which held-out pairs are predicted best."""
        skip_gram = self._untrained(units)
        best, least = 1, np.inf
        for number in range(1, self.iterations + 1):
            skip_gram.run_pass()
            advance(1)
            loss = skip_gram.examined(*exam)
            if loss < least:
                best, least = number, loss
            if number - best >= PATIENCE:
                break
        return best

    def _untrained(self, units: WeightedUnits) -> "_SkipGram":
        return _SkipGram(_Pairs.of(units), self.dimensions, self.negatives, self.seed)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Events of units of at least two items, from which pairs are drawn.

    `item` (m,) by unit, which spans from `start` over `size` events; `chance` (m,) sums to one;
    `frequency` (n,) counts events.
    """

    item: Rows
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    chance: NDArray[np.float64]
    frequency: NDArray[np.float64]

    @classmethod
    def of(cls, units: WeightedUnits) -> "_Pairs":
        sizes = np.diff(units.seen.indptr).astype(np.int64)
        item = units.seen.indices.astype(np.int32)
        weight = np.repeat(units.weight.astype(np.float64), sizes)
        counted = np.bincount(item, weights=weight, minlength=units.seen.shape[1])
        frequency = counted.astype(np.float64)
        known = frequency[frequency > 0]
        common = FREQUENT * known.mean() if len(known) else 1.0
        kept = np.sqrt(np.minimum(common / np.maximum(frequency, 1e-12), 1))
        chance = weight * kept[item]
        return cls(
            item=item,
            start=np.repeat(units.seen.indptr[:-1].astype(np.int64), sizes),
            size=np.repeat(sizes, sizes),
            chance=chance / max(chance.sum(), 1e-12),
            frequency=frequency,
        )

    def draw(self, rng: np.random.Generator, count: int) -> tuple[Rows, Rows]:
        """Items that ask (count,) and one other item of the unit of each."""
        event = np.searchsorted(np.cumsum(self.chance), rng.random(count) * (1 - 1e-9))
        event = np.minimum(event, len(self.item) - 1)
        place = event - self.start[event]
        step = 1 + (rng.random(count) * (self.size[event] - 1)).astype(np.int64)
        other = self.start[event] + (place + step) % self.size[event]
        return self.item[event], self.item[other]


class _SkipGram:
    """In and out vectors under training; nothing outside of it sees them change."""

    def __init__(self, pairs: _Pairs, dimensions: int, negatives: int, seed: int) -> None:
        import torch

        self.pairs, self.negatives = pairs, negatives
        self.rng = np.random.default_rng(seed)
        smoothed = pairs.frequency**SMOOTHING
        self.cumulated = np.cumsum(smoothed / smoothed.sum())
        self.batch = int(np.clip(len(pairs.item) // BATCHES, SMALLEST_BATCH, LARGEST_BATCH))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        shape = (len(pairs.frequency), dimensions)
        drawn = self.rng.normal(size=shape) * (FIRST_LENGTH / np.sqrt(dimensions))
        self.asking = torch.from_numpy(drawn.astype(np.float32)).to(self.device).requires_grad_()
        self.found = torch.zeros_like(self.asking).requires_grad_()
        self.optimiser = torch.optim.SparseAdam([self.asking, self.found], lr=LEARNING_RATE)

    def run_pass(self) -> None:
        """As many pairs as there are events, and at least `BATCHES` batches."""
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            count = max(len(self.pairs.item), BATCHES * self.batch)
            asked, bought = self.pairs.draw(self.rng, count)
            for start in range(0, len(asked), self.batch):
                end = start + self.batch
                loss = self._loss(asked[start:end], bought[start:end], self._drawn(self.rng))
                self.optimiser.zero_grad()
                loss.backward()
                self.optimiser.step()  # type: ignore[no-untyped-call]
        finally:
            torch.set_num_threads(threads)

    def examined(self, asked: Rows, bought: Rows) -> float:
        """The loss on pairs held out, always against the same negatives."""
        import torch

        with torch.no_grad():
            return float(self._loss(asked, bought, self._drawn(np.random.default_rng(0))))

    def vectors(self) -> tuple[FloatMatrix, FloatMatrix]:
        asking, found = (part.detach().cpu().numpy() for part in (self.asking, self.found))
        return asking, found

    def _drawn(self, rng: np.random.Generator) -> Rows:
        drawn = np.searchsorted(self.cumulated, rng.random(self.negatives) * (1 - 1e-9))
        return np.minimum(drawn, len(self.cumulated) - 1).astype(np.int32)

    def _loss(self, asked: Rows, bought: Rows, negatives: Rows) -> Any:  # noqa: ANN401 - a tensor
        import torch
        from torch.nn.functional import embedding, logsigmoid

        asked_at, bought_at, others = (
            torch.from_numpy(rows.astype(np.int64)).to(self.device)
            for rows in (asked, bought, negatives)
        )
        one = embedding(asked_at, self.asking, sparse=True)
        near = (one * embedding(bought_at, self.found, sparse=True)).sum(1)
        far = one @ embedding(others, self.found, sparse=True).T
        told_apart = logsigmoid(-far).mean(1) * FAR_PAIRS
        return -(logsigmoid(near) + told_apart).mean()


def _centred(vectors: FloatMatrix, known: NDArray[np.bool_]) -> FloatMatrix:
    """Rows less the mean of the known ones, at length one; zero where unknown.

    All rows share the direction that says how much rarer a pair is than its negatives.
    """
    centred: FloatMatrix = (vectors - vectors[known].mean(axis=0)) * known[:, None]
    return unit_rows(centred)


def _part(units: WeightedUnits, chosen: NDArray[np.bool_]) -> WeightedUnits:
    return WeightedUnits(units.seen[np.flatnonzero(chosen)], units.weight[chosen])
