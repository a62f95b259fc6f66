"""A learned fusion: two towers, distilled from counts and a gate, which have no vectors.

The distillation target is the plain gate and decayed counts together. It is better than either, but
has no vectors. Training runs in torch.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Columns, FloatMatrix, FloatVector, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.co_occurrence import WeightedUnits
from recommender.core.cpu import one_torch_thread
from recommender.core.half_life import HalfLife, days_in, require_half_life
from recommender.core.interactions import Interactions
from recommender.core.vectors import Origins
from recommender.errors import ConfigError
from recommender.vectors.fusion.gated import shortest_target, the_behaviour
from recommender.vectors.fusion.towers import (
    INPUTS,
    WIDTH,
    FittedTowers,
    Inputs,
    Parameters,
    first_parameters,
    price_scale,
    queries,
    targets,
)

ROWS, COLUMNS, PASSES, STEPS_MAX = 512, 2048, 4, 800
HELD_OUT, CHECK_EVERY, PATIENCE = 0.05, 20, 3
LEARNING_RATE = 2e-3
TARGET_SHARPNESS = 25.0
COLD_TARGETS = 0.4
BEHAVIOUR_SHARE, HALF_SUPPORT = 0.75, 3.0
COUNTS, TRUSTED_AT = 2.0, 10.0
_OF_SHOP = ("prices", "shortest")


@dataclass(frozen=True, slots=True)
class Learned:
    """Query and target vectors of content, behaviour, category, brand and price, learned in torch.

    The distillation target is what no vectors can be: decayed counts added to a gate of behaviour
    and content. The towers start as that gate, and learn to choose as the target does among samples
    of items, by softmax. For a `cold_share` of the asking items the behaviour is hidden, so that
    the towers learn from items whose buyers are known what content and side features let expect.
    `behaviour` names the interaction model; it may be empty where there is only one. Training takes
    `steps`, or four passes over the items where that is more (at most 800 steps), and stops early
    where items held out get no better. It uses one CPU thread, or a GPU.

    Source: distillation of Hinton, Vinyals, Dean 2015; dropping the behaviour of Volkovs, Yu,
    Poutanen 2017, "DropoutNet".
    """

    behaviour: str = ""
    half_life_days: HalfLife = "auto"
    hidden: int = 256
    cold_share: float = 0.25
    steps: int = 160
    seed: int = 0

    def __post_init__(self) -> None:
        require_half_life(self.half_life_days, "learned")
        if not 1 <= self.hidden <= 4096:
            raise ConfigError(f"learned: hidden = {self.hidden} is not in 1..4096")
        if not 0 <= self.cold_share < 1:
            raise ConfigError(f"learned: cold_share = {self.cold_share} is not in 0..1")
        if self.steps < 1:
            raise ConfigError(f"learned: steps = {self.steps} is below 1")

    def fuse(
        self, origins: Origins, catalogue: Catalogue, interactions: Interactions
    ) -> FittedTowers:
        """Learn. Raises: ConfigError where it is unclear which behaviour is meant."""
        name = the_behaviour(origins, self.behaviour, "learned")
        behaviour = origins.behaviour[name]
        first = first_parameters(
            origins.joined().matrix.shape[1],
            WIDTH,
            behaviour.matrix.shape[1],
            self.hidden,
            self.seed,
        )
        shortest = shortest_target(behaviour)
        untaught = FittedTowers(name, first, price_scale(catalogue), shortest)
        counts = Counts.of(interactions, days_in(self.half_life_days, interactions))
        if np.count_nonzero(counts.total) < 2:
            return untaught
        taught = self._trained(untaught.inputs(origins, catalogue), first, counts)
        return replace(untaught, parameters=taught)

    def load(self, columns: Columns, origins: Origins) -> FittedTowers:
        """Undo `columns`."""
        behaviour = the_behaviour(origins, self.behaviour, "learned")
        parameters = {name: array for name, array in columns.items() if name not in _OF_SHOP}
        centre, spread = columns["prices"].tolist()
        return FittedTowers(behaviour, parameters, (centre, spread), float(columns["shortest"]))

    def _trained(self, inputs: Inputs, first: Parameters, counts: "Counts") -> Parameters:
        """The parameters that were best on items held out, of all that were met.

        Each step is a softmax over a sample of the items, given some of them. The columns of a step
        are drawn whatever its rows are, so the target's distribution over them is exactly its
        distribution given that one of them is bought, and needs no correction.
        """
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        given = _on(device, inputs)
        learned = {
            name: torch.from_numpy(array.copy()).to(device).requires_grad_()
            for name, array in first.items()
        }
        optimiser = torch.optim.AdamW(learned.values(), lr=LEARNING_RATE, weight_decay=0.0)
        samples = _Samples(given, counts, self.seed, self.cold_share)
        steps = self.steps_for(len(samples.rows))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        best, best_loss, stale = first, np.inf, 0
        with one_torch_thread():
            for step in range(steps):
                loss = samples.loss(learned, samples.draw())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                if step % CHECK_EVERY == CHECK_EVERY - 1:
                    with torch.no_grad():
                        exam_loss, stale = float(samples.loss(learned, samples.exam)), stale + 1
                    if exam_loss < best_loss:
                        best_loss, stale = exam_loss, 0
                        best = {
                            n: part.detach().cpu().numpy().copy() for n, part in learned.items()
                        }
                    if stale >= PATIENCE:
                        break
        return best

    def steps_for(self, n_items: int) -> int:
        """How many steps at most: `steps`, or what four passes over the items take, up to 800."""
        return max(self.steps, min(PASSES * n_items // ROWS, STEPS_MAX))


@dataclass(frozen=True, slots=True)
class Counts:
    """Weighted co-occurrence, computed for blocks: n by n counts are never held.

    `by_item` (n, u) and `by_unit` (u, n) hold the root of each unit's weight, `total` (n,) the sum
    of an item's counts with all others, `trust` (n,) how far they are believed, from 0 to 1.
    """

    by_item: sp.csr_array
    by_unit: sp.csc_array
    total: FloatVector
    trust: FloatVector

    @classmethod
    def of(cls, interactions: Interactions, half_life_days: float) -> "Counts":
        """Count, with units weighed by size and age."""
        units = WeightedUnits.of(interactions, "auto", half_life_days, 0.5)
        seen = units.seen.copy()
        seen.data = np.ones_like(seen.data)
        scaled = sp.csr_array(sp.diags_array(np.sqrt(units.weight)) @ seen).astype(np.float32)
        others = np.diff(seen.indptr) - 1
        support = np.bincount(seen.indices, minlength=seen.shape[1])
        return cls(
            by_item=sp.csr_array(scaled.T),
            by_unit=sp.csc_array(scaled),
            total=np.asarray(seen.T @ (units.weight * others), dtype=np.float32),
            trust=(support / (support + TRUSTED_AT)).astype(np.float32),
        )

    def strength(self, rows: Rows, columns: Rows) -> FloatMatrix:
        """Root of the share of `columns` (k,) in what goes with each of `rows` (b, k)."""
        counts = (self.by_item[rows] @ self.by_unit[:, columns]).toarray()
        scale = self.trust[rows] / np.maximum(self.total[rows], 1e-9)
        strength: FloatMatrix = COUNTS * np.sqrt(counts * scale[:, None])
        return strength


@dataclass(frozen=True, slots=True)
class _Draw:
    rows: Rows
    columns: Rows
    row_kept: NDArray[np.float32]
    column_kept: NDArray[np.float32]


class _Samples:
    """Draws samples of items, and measures how far the towers are from the target on them."""

    def __init__(self, inputs: Inputs, counts: Counts, seed: int, cold_share: float) -> None:
        self.inputs, self.counts, self.cold_share = inputs, counts, cold_share
        self.rng = np.random.default_rng(seed)
        warm = np.flatnonzero(counts.total > 0).astype(np.int32)
        held = self.rng.random(len(warm)) < HELD_OUT
        self.columns = warm
        self.rows = warm[~held] if held.any() and not held.all() else warm
        self.exam = self._drawn(warm[held] if held.any() else warm)

    def draw(self) -> _Draw:
        return self._drawn(self.rows)

    def _drawn(self, pool: Rows) -> _Draw:
        """Half of the columns by popularity, half evenly; rows by the root of popularity."""
        common = self._by_popularity(self.columns, COLUMNS // 2)
        size = min(COLUMNS - len(common), len(self.columns))
        columns = np.union1d(common, self.rng.choice(self.columns, size, replace=False))
        rows = np.sort(self._by_popularity(pool, ROWS))
        cold = self.cold_share
        return _Draw(
            rows,
            columns.astype(np.int32),
            (self.rng.random((len(rows), 1)) >= cold).astype(np.float32),
            (self.rng.random((len(columns), 1)) >= cold * COLD_TARGETS).astype(np.float32),
        )

    def _by_popularity(self, pool: Rows, size: int) -> Rows:
        weight = np.sqrt(self.counts.total[pool].astype(np.float64))
        size = min(size, len(pool))
        return self.rng.choice(pool, size, replace=False, p=weight / weight.sum())

    def loss(self, parameters: Parameters, draw: _Draw) -> Any:  # noqa: ANN401 - a tensor
        import torch

        device = self.inputs.content.device
        asking, found = self.inputs.at(draw.rows), self.inputs.at(draw.columns)
        itself = torch.from_numpy(draw.rows[:, None] == draw.columns).to(device)
        with torch.no_grad():
            wanted = torch.softmax(
                (TARGET_SHARPNESS * self._target(asking, found, draw)).masked_fill(itself, -1e9),
                1,
            )
        row_kept, column_kept = (
            torch.from_numpy(kept).to(device) for kept in (draw.row_kept, draw.column_kept)
        )
        asked = queries(parameters, asking.without_behaviour(row_kept))
        offered = targets(parameters, found.without_behaviour(column_kept))
        scores = asked[0] @ offered[0].T + asked[1] @ offered[1].T
        logits = (parameters["sharpness"].exp() * scores).masked_fill(itself, -1e9)
        return -(wanted * torch.log_softmax(logits, 1)).sum(1).mean()

    def _target(self, asking: Inputs, found: Inputs, draw: _Draw) -> Any:  # noqa: ANN401
        import torch

        share = BEHAVIOUR_SHARE * asking.support / (asking.support + HALF_SUPPORT)
        gated = share * (asking.behaviour @ found.behaviour.T)
        gated = gated + (1 - share) * (asking.content @ found.content.T)
        counted = torch.from_numpy(self.counts.strength(draw.rows, draw.columns))
        return gated * found.length.T + counted.to(gated.device)


def _on(device: str, inputs: Inputs) -> Inputs:
    import torch

    return Inputs(
        *(
            torch.from_numpy(np.array(getattr(inputs, name), dtype=np.float32)).to(device)
            for name in INPUTS
        )
    )
