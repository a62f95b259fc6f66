"""Screened search: all products in bf16, then those that may be among the best in fp32.

Exact: the error of a product in bf16 is bounded by what rounding took from its two vectors
(|q·t - q̂·t̂| <= |q - q̂| |t| + |q̂| |t - t̂|, by Cauchy and Schwarz), by the rounding of the result and
by the order of the sum. A target is left out only where its product, with the whole error added,
stays below a lower bound of the k-th best. What is left is multiplied in fp32, each pair on its
own, so that the answer does not depend on how queries are cut into blocks or on the number of
threads. A few queries are screened in fp32, which needs no rounding of the targets beforehand.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from recommender.core.arrays import NUMBERS_AT_ONCE, Columns, FloatMatrix, Rows, blocks
from recommender.core.cpu import multiplies_bf16, torch_threads
from recommender.core.neighbours import Neighbours, Places, nearest_of_pairs

if TYPE_CHECKING:
    import torch

FEW, QUERIES = 256, 1024
TARGETS = 8192
GROUP = 32
PAIRS = 4_000_000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some targets in bf16 from `start` on; the longest, and the most that rounding took."""

    start: int
    rounded: torch.Tensor
    longest: float
    lost: float


@dataclass(frozen=True, slots=True)
class Screened:
    """The nearest targets, exactly. `rows` (m,) are those of the targets (n, d) that are not zero.

    `targets` may be a memory map. The copy in bf16, two bytes per dimension, is made when many
    queries are searched for the first time.
    """

    targets: FloatMatrix
    rows: Rows
    chunks: Callable[[], tuple[Chunk, ...]]

    @classmethod
    def of(cls, targets: FloatMatrix, rows: Rows) -> Screened:
        """Round the targets, chunk by chunk, when first asked for many queries."""
        return cls(targets, rows, cache(lambda: _chunks(targets, rows)))

    def columns(self) -> Columns:
        """Nothing: rounding again costs less than a file."""
        return {}

    def search(self, queries: FloatMatrix, k: int) -> Neighbours:
        """The k neighbours (b, k) of the queries (b, d); a zero query has none.

        Equal scores are ordered by row. As many blocks of queries run at once as torch has threads.
        """
        k = max(1, min(k, len(self.rows)))
        if len(queries) <= FEW:
            parts = blocks(max(len(queries), 1), max(1, NUMBERS_AT_ONCE // len(self.targets)))
            return Neighbours.joined(self._nearest_of_few(queries[part], k) for part in parts)
        with torch_threads() as pool:
            parts = blocks(len(queries), QUERIES)
            return Neighbours.joined(pool.map(lambda part: self._nearest(queries[part], k), parts))

    def _nearest_of_few(self, queries: FloatMatrix, k: int) -> Neighbours:
        """The neighbours (b, k) of queries whose products (b, n) fit into memory."""
        asked = np.ascontiguousarray(queries, dtype=np.float32)
        products = asked @ self.targets.T
        if len(self.rows) < len(self.targets):
            products = products[:, self.rows]
        floor = np.partition(products, -k, axis=1)[:, -k]
        longest = np.einsum("nd,nd->n", self.targets, self.targets).max() ** 0.5
        error = SUMMED * asked.shape[1] * longest * np.linalg.norm(asked, axis=1)
        asking, found = np.nonzero(products >= (floor - 4 * error)[:, None])
        return nearest_of_pairs(self.targets, asked, asking, self.rows[found], k)

    def _nearest(self, queries: FloatMatrix, k: int) -> Neighbours:
        """The neighbours (b, k) of a block; one with very many candidates is halved."""
        asked = np.array(queries, dtype=np.float32)  # torch warns of what cannot be written to
        candidates = self._screen(asked, k)
        if candidates is None:
            half = len(asked) // 2
            return Neighbours.joined(
                self._nearest(part, k) for part in (asked[:half], asked[half:])
            )
        asking, found = candidates
        return nearest_of_pairs(self.targets, asked, asking, self.rows[found], k)

    def _screen(self, queries: FloatMatrix, k: int) -> tuple[Places, Places] | None:
        """Queries and targets (p,) that may belong together; None where they are too many."""
        import torch

        with torch.inference_mode():
            screen = _Screen.of(queries, k)
            total = 0
            for chunk in self.chunks():
                total += screen.pass_through(chunk)
                if total > PAIRS and len(queries) > 1:
                    return None
            return screen.left()


@dataclass(slots=True)
class _Screen:
    """The candidates of one block of queries, while the chunks of targets pass.

    `floor` (b, k) holds lower bounds of the products of k different targets, the least first.
    """

    queries: torch.Tensor
    length: torch.Tensor
    lost: torch.Tensor
    floor: torch.Tensor
    kept: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]

    @classmethod
    def of(cls, queries: FloatMatrix, k: int) -> _Screen:
        import torch

        given = torch.from_numpy(queries)
        rounded = given.bfloat16()
        floor = torch.full((len(queries), k), -torch.inf)
        lost = (given - rounded.float()).norm(dim=1)
        return cls(rounded, rounded.float().norm(dim=1), lost, floor, [])

    def pass_through(self, chunk: Chunk) -> int:
        """Take what may be among the best of a chunk; returns how many there are."""
        import torch
        from torch.nn.functional import linear

        products = linear(self.queries, chunk.rounded)
        size = products.shape[1]
        group = GROUP if size % GROUP == 0 else 1
        grouped = products.view(len(products), group, size // group)
        peaks = group_peaks(grouped)
        error = self._error(chunk)
        k = self.floor.shape[1]
        best = largest(peaks, min(k, peaks.shape[1])).bfloat16()
        self.floor = largest(torch.cat([self.floor, lowest(best) - error[:, None]], dim=1), k)
        least = (self.floor[:, 0] - error).bfloat16()
        query, place = at_least(grouped, peaks, least)
        upper = highest(products[query, place]) + error[query]
        self.kept.append((query, chunk.start + place, upper))
        return len(query)

    def left(self) -> tuple[Places, Places]:
        """Queries and targets (p,) of the candidates that the last floor leaves."""
        import torch

        query, target, upper = (torch.cat(parts) for parts in zip(*self.kept, strict=True))
        stays = upper >= self.floor[query, 0]
        return query[stays].numpy(), target[stays].numpy()

    def _error(self, chunk: Chunk) -> torch.Tensor:
        """How far a product in bf16 may be from the true one, its own rounding apart (b,)."""
        summed = SUMMED * self.queries.shape[1] * chunk.longest
        return self.lost * chunk.longest + self.length * (chunk.lost + summed)


def _chunks(targets: FloatMatrix, rows: Rows) -> tuple[Chunk, ...]:
    import torch

    chunks = []
    for block in blocks(len(rows), TARGETS):
        given = torch.from_numpy(np.ascontiguousarray(targets[rows[block]], dtype=np.float32))
        rounded = given.bfloat16()
        lost = float((given - rounded.float()).norm(dim=1).max())
        longest = float(torch.maximum(given.norm(dim=1).max(), rounded.float().norm(dim=1).max()))
        chunks.append(Chunk(block.start, rounded, longest * (1 + SUMMED), lost * (1 + SUMMED)))
    return tuple(chunks)


SUMMED = 2.0**-22
"""The relative error of a sum in fp32, for each of its terms, and a little."""


def screens() -> bool:
    """Whether products may be made in bf16 here."""
    return multiplies_bf16() and importlib.util.find_spec("torch") is not None


def group_peaks(grouped: torch.Tensor) -> torch.Tensor:
    """The largest of each group: (b, group, c) to (b, c)."""
    import torch

    while grouped.shape[1] > 1:
        half = grouped.shape[1] // 2
        grouped = torch.maximum(grouped[:, :half], grouped[:, half:])
    return grouped[:, 0]


def largest(values: torch.Tensor, k: int) -> torch.Tensor:
    """The k largest of each row in fp32: (b, c) to (b, k), the least of them first.

    numpy parts rows with AVX-512 or AVX2, in a tenth of the time of torch's topk.
    """
    import torch

    return torch.from_numpy(np.partition(values.float().numpy(), -k, axis=1)[:, -k:])


def at_least(
    grouped: torch.Tensor, peaks: torch.Tensor, least: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries and places (p,) of products that are at least the `least` (b,) of their query.

    Products are in groups (b, group, c); only those whose largest (b, c) is at least that are
    looked through. A place is one of group * c.
    """
    query, peak = (peaks >= least[:, None]).nonzero(as_tuple=True)
    hit, member = (grouped[query, :, peak] >= least[query][:, None]).nonzero(as_tuple=True)
    return query[hit], member * grouped.shape[2] + peak[hit]


def lowest(products: torch.Tensor) -> torch.Tensor:
    """The least that may have been rounded to these, in fp32: half-way to the next below."""
    return _half_way(products, -float("inf"))


def highest(products: torch.Tensor) -> torch.Tensor:
    """The most that may have been rounded to these, in fp32: half-way to the next above."""
    return _half_way(products, float("inf"))


def _half_way(products: torch.Tensor, to: float) -> torch.Tensor:
    import torch

    next_one = torch.nextafter(products, torch.full_like(products, to))
    return (products.float() + next_one.float()) / 2
