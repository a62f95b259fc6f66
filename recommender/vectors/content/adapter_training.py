"""Training of an adapter: what is bought together comes near, in torch on one thread."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, unit_rows
from recommender.core.co_occurrence import WeightedUnits
from recommender.core.cpu import one_torch_thread
from recommender.core.interactions import Interactions
from recommender.errors import ConfigError, DataError
from recommender.vectors.content.adapter import Adapter

SIZE_POWER = 0.5
UNIT_ITEMS = 8
NEAR_DUPLICATE = 0.95
CHECK_EVERY, PATIENCE = 25, 4

Judge = Callable[[FloatMatrix], float]
"""How good vectors (n, d) are on questions that training never sees, larger is better."""
Watch = Callable[[int, float], None]
"""Is told the step and what the judge said."""


@dataclass(frozen=True, slots=True)
class AdapterTraining:
    """Softmax over the items of a batch, taught by decayed counts of what was bought together.

    A batch is made of drawn baskets, whose pairs are its positives in proportion to their weighted
    counts, and of evenly drawn items. All other items of the batch are its negatives, but those
    with nearly the same text, who are left out. `popularity` is the share of an item's commonness
    that vectors need not explain. Baskets weigh as in `co-occurrence-svd`.

    What goes with an item is spread wide, so the temperature is high: at .05 nothing but a
    direction that all vectors share makes the softmax as flat, and nearness is lost to it.

    Source: multiple negatives of Henderson et al. 2017 with soft labels; the correction for
    popularity of Yi et al. 2019, "Sampling-bias-corrected neural modeling", in part.

    Raises: ConfigError where a parameter is out of range.
    """

    hidden: int = 1024
    steps: int = 400
    batch: int = 768
    learning_rate: float = 2e-3
    temperature: float = 0.3
    popularity: float = 0.5
    dropout: float = 0.3
    half_life_days: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.hidden, self.steps, self.batch) < 1:
            raise ConfigError("fine-tuning: hidden, steps and batch are at least 1")
        if not (self.learning_rate > 0 and self.temperature > 0 and 0 <= self.dropout < 1):
            raise ConfigError("fine-tuning: learning_rate, temperature > 0; dropout in [0, 1)")

    def fit(
        self, matrix: FloatMatrix, interactions: Interactions, judge: Judge, watch: Watch
    ) -> Adapter:
        """The adapter that the judge liked best of all that were met; at first it moves nothing.

        Raises: DataError where no two items with text were bought together.
        """
        import torch

        lesson = Lesson.of(matrix, interactions, self)
        rng = np.random.default_rng(self.seed)
        width = matrix.shape[1]
        up = (rng.normal(size=(width, self.hidden)) / np.sqrt(width)).astype(np.float32)
        still = np.zeros(width, np.float32)
        best = _Best(Adapter(up, np.zeros((self.hidden, width), np.float32), still), matrix, judge)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        learned = [
            torch.from_numpy(part.copy()).to(device).requires_grad_()
            for part in (best.adapter.up, best.adapter.down)
        ]
        optimiser = torch.optim.AdamW(learned, lr=self.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps)
        with one_torch_thread():
            for step in range(1, self.steps + 1):
                rows = lesson.drawn(rng)
                loss = self._loss(learned, lesson, rows, rng)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                if step % CHECK_EVERY == 0 or step == self.steps:
                    up, down = (part.detach().cpu().numpy().copy() for part in learned)
                    watch(step, best.offer(Adapter(up, down, still)))
                    if best.stale >= PATIENCE:
                        break
        return best.adapter

    def _loss(
        self, learned: list[Any], lesson: "Lesson", rows: Rows, rng: np.random.Generator
    ) -> Any:  # noqa: ANN401 - a tensor
        import torch

        up, down = learned
        device = up.device
        kept = (rng.random((len(rows), self.hidden)) >= self.dropout) / (1 - self.dropout)
        given = torch.from_numpy(lesson.matrix[rows]).to(device)
        inner = torch.relu(given @ up) * torch.from_numpy(kept.astype(np.float32)).to(device)
        moved = torch.nn.functional.normalize(given + inner @ down, dim=1)
        taught, left_out = lesson.taught(rows)
        common = torch.from_numpy(self.popularity * lesson.log_share[rows]).to(device)
        logits = moved @ moved.T / self.temperature + common
        logits = logits.masked_fill(torch.from_numpy(left_out).to(device), -1e9)
        chosen = torch.from_numpy(taught).to(device)
        return -(chosen * torch.log_softmax(logits, 1)).sum(1).mean()


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from: unit vectors (n, d), and baskets that hold at least two of them.

    `by_item` (n, u) and `by_unit` (u, n) hold the root of each basket's weight, `chance` (u,) how
    often a basket is drawn; `log_share` (n,) is the logarithm of an item's share of all pairs.
    """

    matrix: FloatMatrix
    seen: sp.csr_array
    by_item: sp.csr_array
    by_unit: sp.csc_array
    chance: FloatVector
    warm: Rows
    log_share: FloatVector
    batch: int

    @classmethod
    def of(
        cls, matrix: FloatMatrix, interactions: Interactions, training: AdapterTraining
    ) -> "Lesson":
        """Weigh the baskets. Raises: DataError where none has two items with text."""
        known = np.asarray(matrix.any(axis=1))
        events = interactions.select(known[interactions.item])
        units = WeightedUnits.of(events, "auto", training.half_life_days, SIZE_POWER)
        seen = units.seen.copy()
        if not seen.nnz:
            raise DataError("no two items with text were bought together: nothing to learn from")
        seen.data = np.ones_like(seen.data)
        scaled = sp.csr_array(sp.diags_array(np.sqrt(units.weight)) @ seen).astype(np.float32)
        sizes = np.diff(seen.indptr)
        total = np.asarray(seen.T @ (units.weight * (sizes - 1)), dtype=np.float64)
        chance = units.weight.astype(np.float64) * sizes
        return cls(
            matrix=unit_rows(matrix),
            seen=seen,
            by_item=sp.csr_array(scaled.T),
            by_unit=sp.csc_array(scaled),
            chance=(chance / chance.sum()).astype(np.float64),
            warm=np.flatnonzero(total > 0).astype(np.int32),
            log_share=np.log(np.maximum(total / total.sum(), 1e-9)).astype(np.float32),
            batch=training.batch,
        )

    def drawn(self, rng: np.random.Generator) -> Rows:
        """The rows of a batch (b,): some items of drawn baskets, and as many drawn evenly."""
        if len(self.warm) <= self.batch:
            return self.warm
        units = rng.choice(len(self.chance), 2 * self.batch // UNIT_ITEMS, p=self.chance)
        parts = [self.warm[rng.choice(len(self.warm), self.batch // 2, replace=False)]]
        for unit in units.tolist():
            items = self.seen.indices[self.seen.indptr[unit] : self.seen.indptr[unit + 1]]
            parts.append(rng.choice(items, min(len(items), UNIT_ITEMS), replace=False))
        distinct = list(dict.fromkeys(np.concatenate(parts[1:]).tolist()))[: self.batch // 2]
        return np.union1d(parts[0], distinct).astype(np.int32)

    def taught(self, rows: Rows) -> tuple[FloatMatrix, np.ndarray]:
        """Which items of a batch go with each (b, b), in shares; and which are no negatives."""
        counts = (self.by_item[rows] @ self.by_unit[:, rows]).toarray()
        np.fill_diagonal(counts, 0)
        texts = self.matrix[rows]
        left_out = (texts @ texts.T >= NEAR_DUPLICATE) & (counts <= 0)
        np.fill_diagonal(left_out, val=True)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
        return shares.astype(np.float32), left_out


class _Best:
    """The adapter that the judge liked best, and how many offers ago it came."""

    def __init__(self, first: Adapter, matrix: FloatMatrix, judge: Judge) -> None:
        self.adapter, self.stale = first, 0
        self._matrix, self._judge = matrix, judge
        self._value = judge(first.apply(matrix))

    def offer(self, adapter: Adapter) -> float:
        value = self._judge(adapter.apply(self._matrix))
        self.stale += 1
        if value > self._value:
            self.adapter, self._value, self.stale = adapter, value, 0
        return value
