"""Adapter: a residual layer after a text model, trained on what one shop sells together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, unit_rows
from recommender.core.co_occurrence import WeightedUnits
from recommender.core.cpu import one_torch_thread
from recommender.core.half_life import HalfLife, days_in
from recommender.core.interactions import Interactions
from recommender.errors import ConfigError, DataError

CENTRED = 0.8
STRENGTH = 0.5
SIZE_POWER = 0.5
UNIT_ITEMS = 8
NEAR_DUPLICATE = 0.95
CHECK_EVERY, PATIENCE = 25, 4

Validation = Callable[[FloatMatrix], float]
"""The quality of vectors (n, d) on queries that training never sees, larger is better."""
OnCheck = Callable[[int, float], None]
"""Called with the step and its validation score."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """x + max(x up, 0) down of unit vectors x (n, d), less `centre`, scaled to length one.

    `up` (d, h), `down` (h, d), `centre` (d,). With `down` and `centre` of zero, vectors do not
    change.
    """

    up: FloatMatrix
    down: FloatMatrix
    centre: FloatVector

    def apply(self, matrix: FloatMatrix) -> FloatMatrix:
        """The adapted vectors (n, d); a zero row stays zero."""
        moved = unit_rows(matrix + np.maximum(matrix @ self.up, 0) @ self.down)
        return unit_rows(np.where(moved.any(axis=1, keepdims=True), moved - self.centre, 0))

    def tempered(self) -> "Adapter":
        """The same adapter, moving half as far: new items follow only part of what it learned.

        Lists by text alone would be better with all of it. A model that weighs text against
        behaviour would not, since it learns from the items that the adapter has learned from.
        """
        return Adapter(self.up, np.float32(STRENGTH) * self.down, self.centre)

    def centred(self, matrix: FloatMatrix) -> "Adapter":
        """The same adapter without most of the direction that all vectors (n, d) share.

        A shared direction does not change the softmax, but it does change every cosine.
        """
        moved = self.apply(matrix)
        shared = CENTRED * moved[moved.any(axis=1)].mean(axis=0)
        return Adapter(self.up, self.down, self.centre + shared.astype(np.float32))


@dataclass(frozen=True, slots=True)
class AdapterTraining:
    """Softmax over the items of a batch; its targets are decayed counts of joint purchases.

    A batch has items of sampled baskets, whose pairs are its positives in proportion to their
    weighted counts, and uniformly sampled items. All other items of the batch are negatives, except
    those with nearly the same text, which are left out. `popularity` is the share of an item's
    popularity that vectors need not explain. Baskets weigh as in `co-occurrence-svd`. Training
    runs in torch on one thread.

    The items bought with an item are many, so the temperature is high. At .05, only a direction
    that all vectors share would make the softmax as flat, and their nearness would be lost.

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
    half_life_days: HalfLife = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.hidden, self.steps, self.batch) < 1:
            raise ConfigError("fine-tuning: hidden, steps and batch are at least 1")
        if not (self.learning_rate > 0 and self.temperature > 0 and 0 <= self.dropout < 1):
            raise ConfigError("fine-tuning: learning_rate, temperature > 0; dropout in [0, 1)")

    def fit(
        self,
        matrix: FloatMatrix,
        interactions: Interactions,
        validation: Validation,
        on_check: OnCheck,
    ) -> Adapter:
        """The adapter with the best validation score; the first candidate moves nothing.

        Raises: DataError where no two items with text were bought together.
        """
        import torch

        baskets = TrainingBaskets.of(matrix, interactions, self)
        rng = np.random.default_rng(self.seed)
        width = matrix.shape[1]
        up = (rng.normal(size=(width, self.hidden)) / np.sqrt(width)).astype(np.float32)
        still = np.zeros(width, np.float32)
        best = Adapter(up, np.zeros((self.hidden, width), np.float32), still)
        best_value, stale = validation(best.apply(matrix)), 0
        device = "cuda" if torch.cuda.is_available() else "cpu"
        learned = [
            torch.from_numpy(part.copy()).to(device).requires_grad_()
            for part in (best.up, best.down)
        ]
        optimiser = torch.optim.AdamW(learned, lr=self.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.steps)
        with one_torch_thread():
            for step in range(1, self.steps + 1):
                rows = baskets.sampled(rng)
                loss = self._loss(learned, baskets, rows, rng)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                if step % CHECK_EVERY == 0 or step == self.steps:
                    up, down = (part.detach().cpu().numpy().copy() for part in learned)
                    adapter = Adapter(up, down, still)
                    value, stale = validation(adapter.apply(matrix)), stale + 1
                    on_check(step, value)
                    if value > best_value:
                        best, best_value, stale = adapter, value, 0
                    if stale >= PATIENCE:
                        break
        return best

    def _loss(
        self, learned: list[Any], baskets: "TrainingBaskets", rows: Rows, rng: np.random.Generator
    ) -> Any:  # noqa: ANN401 - a tensor
        import torch

        up, down = learned
        device = up.device
        kept = (rng.random((len(rows), self.hidden)) >= self.dropout) / (1 - self.dropout)
        given = torch.from_numpy(baskets.matrix[rows]).to(device)
        inner = torch.relu(given @ up) * torch.from_numpy(kept.astype(np.float32)).to(device)
        moved = torch.nn.functional.normalize(given + inner @ down, dim=1)
        targets, left_out = baskets.targets(rows)
        common = torch.from_numpy(self.popularity * baskets.log_share[rows]).to(device)
        logits = moved @ moved.T / self.temperature + common
        logits = logits.masked_fill(torch.from_numpy(left_out).to(device), -1e9)
        chosen = torch.from_numpy(targets).to(device)
        return -(chosen * torch.log_softmax(logits, 1)).sum(1).mean()


@dataclass(frozen=True, slots=True)
class TrainingBaskets:
    """What training reads: unit vectors (n, d), and baskets with at least two of their items.

    `by_item` (n, u) and `by_unit` (u, n) hold the root of each basket's weight, `chance` (u,) how
    often a basket is sampled; `log_share` (n,) is the logarithm of an item's share of all pairs.
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
    ) -> "TrainingBaskets":
        """Weigh the baskets. Raises: DataError where none has two items with text."""
        known = np.asarray(matrix.any(axis=1))
        events = interactions.select(known[interactions.item])
        days = days_in(training.half_life_days, events)
        units = WeightedUnits.of(events, "auto", days, SIZE_POWER)
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

    def sampled(self, rng: np.random.Generator) -> Rows:
        """The rows of a batch (b,): items of sampled baskets, and as many sampled uniformly."""
        if len(self.warm) <= self.batch:
            return self.warm
        units = rng.choice(len(self.chance), 2 * self.batch // UNIT_ITEMS, p=self.chance)
        parts = [self.warm[rng.choice(len(self.warm), self.batch // 2, replace=False)]]
        for unit in units.tolist():
            items = self.seen.indices[self.seen.indptr[unit] : self.seen.indptr[unit + 1]]
            parts.append(rng.choice(items, min(len(items), UNIT_ITEMS), replace=False))
        distinct = list(dict.fromkeys(np.concatenate(parts[1:]).tolist()))[: self.batch // 2]
        return np.union1d(parts[0], distinct).astype(np.int32)

    def targets(self, rows: Rows) -> tuple[FloatMatrix, np.ndarray]:
        """The target shares (b, b) of the items of a batch, and which pairs are left out (b, b)."""
        counts = (self.by_item[rows] @ self.by_unit[:, rows]).toarray()
        np.fill_diagonal(counts, 0)
        texts = self.matrix[rows]
        left_out = (texts @ texts.T >= NEAR_DUPLICATE) & (counts <= 0)
        np.fill_diagonal(left_out, val=True)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)
        return shares.astype(np.float32), left_out
