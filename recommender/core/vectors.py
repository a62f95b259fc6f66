"""Embeddings by origin, and the item vectors that a fusion makes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np

from recommender.core.arrays import (
    Columns,
    FloatMatrix,
    FloatVector,
    Rows,
    frozen,
    inner_products,
    require_finite,
    unit_rows,
)
from recommender.errors import DataError


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector per item from one origin: a content origin, or one interaction model.

    `matrix` (n, d) has rows of length one, or zero rows; `support` (n,) says how much data stood
    behind a row, and is 0 exactly where the row is zero; `targets` (n, d) only where an origin
    has other vectors for the item that is found than for the item that asks.

    Raises: DataError where shapes differ, a value is not finite, or support and rows disagree.
    """

    matrix: FloatMatrix
    support: FloatVector
    targets: FloatMatrix | None = None

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.support.shape != (len(self.matrix),):
            raise DataError(
                f"embeddings of shape {self.matrix.shape} with support {self.support.shape}"
            )
        require_finite(self.matrix, "embeddings")
        if ((self.support > 0) != self.matrix.any(axis=1)).any():
            raise DataError("embeddings: support is 0 exactly where the row is zero, but is not")
        object.__setattr__(self, "matrix", frozen(self.matrix))
        object.__setattr__(self, "support", frozen(self.support))
        if self.targets is not None:
            if self.targets.shape != self.matrix.shape:
                raise DataError(f"embeddings: targets {self.targets.shape}, {self.matrix.shape}")
            require_finite(self.targets, "embeddings' targets")
            object.__setattr__(self, "targets", frozen(self.targets))

    def columns(self) -> Columns:
        """The embeddings as arrays."""
        columns: Columns = {"matrix": self.matrix, "support": self.support}
        return columns if self.targets is None else columns | {"targets": self.targets}

    @classmethod
    def from_columns(cls, columns: Columns) -> "Embeddings":
        """Undo `columns`."""
        return cls(columns["matrix"], columns["support"], columns.get("targets"))

    @classmethod
    def of_rows(cls, unit_rows: FloatMatrix, support: FloatVector) -> "Embeddings":
        """Embeddings whose support is set to 0 where a row is zero, and the row where support is 0.

        A model may find nothing for an item that has data (a constant column), and leave noise
        where there is none.
        """
        known = (support > 0) & unit_rows.any(axis=1)
        matrix = np.where(known[:, None], unit_rows, np.float32(0))
        return cls(matrix, np.where(known, support, np.float32(0)))


@dataclass(frozen=True, slots=True)
class Origins:
    """The embeddings of the same items by the name of their origin.

    `content` rests on the items themselves (texts, images), so that new items have it as well;
    `behaviour` rests on interactions. `joined` returns the content of all origins as one, and
    joins it when it is first asked for.
    """

    content: Mapping[str, Embeddings] = field(default_factory=dict)
    behaviour: Mapping[str, Embeddings] = field(default_factory=dict)
    joined: Callable[[], Embeddings] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "joined", cache(partial(joined_content, self.content)))

    def by_name(self) -> dict[str, Embeddings]:
        """All embeddings, content first."""
        return {**self.content, **self.behaviour}


def joined_content(content: Mapping[str, Embeddings]) -> Embeddings:
    """The embeddings of several content origins as one; those of a single origin as they are.

    Vectors are concatenated with equal weight: a row (sum of the d) has length one, and an origin
    that does not know an item adds zeros. Support is the sum of the origins' support.
    """
    origins = list(content.values())
    if len(origins) == 1:
        return origins[0]
    return Embeddings(
        unit_rows(np.hstack([origin.matrix for origin in origins])),
        np.sum([origin.support for origin in origins], axis=0, dtype=np.float32),
    )


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """Fused vectors, scored by the inner product of a query with a target.

    `queries` and `targets` (n, d) are one array for a symmetric fusion. No inner product is larger
    than `bound`: scores are divided by it, so that a published score is at most 1.

    Raises: DataError where shapes differ, a value is not finite or the bound is not positive.
    """

    queries: FloatMatrix
    targets: FloatMatrix
    bound: float = 1.0

    def __post_init__(self) -> None:
        if self.queries.shape != self.targets.shape or self.queries.ndim != 2:
            raise DataError(f"item vectors: {self.queries.shape} and {self.targets.shape}")
        if not self.bound > 0:
            raise DataError(f"item vectors: the bound {self.bound} is not positive")
        require_finite(self.queries, "item vectors")
        object.__setattr__(self, "queries", frozen(self.queries))
        if self.targets is not self.queries:
            require_finite(self.targets, "item vectors' targets")
        object.__setattr__(self, "targets", frozen(self.targets))

    def inner(self, rows: Rows, found: Rows) -> FloatMatrix:
        """Inner products (b, k) of the b rows with what was found (b, k)."""
        return inner_products(self.queries, rows, found, self.targets)

    def columns(self) -> Columns:
        """The vectors as arrays."""
        return {
            "queries": self.queries,
            "targets": self.targets,
            "bound": np.array(self.bound, dtype=np.float64),
        }

    @classmethod
    def from_columns(cls, columns: Columns) -> "ItemVectors":
        """Undo `columns`."""
        return cls(columns["queries"], columns["targets"], float(columns["bound"]))
