"""Two towers: one makes queries, one targets, each of content, side features and behaviour.

The formulas use only what numpy arrays and torch tensors both know, so that what is trained in
torch is exactly what is applied in numpy.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recommender.core.arrays import ROWS_AT_ONCE, Columns, FloatMatrix, blocks, unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.labels import beginnings, category_paths
from recommender.core.vectors import ItemVectors, Origins
from recommender.vectors.fusion.concatenation import named
from recommender.vectors.fusion.gated import target_lengths

Array = Any
"""A numpy array or a torch tensor."""

Parameters = dict[str, Any]
TOWERS = ("query", "target")
HALF_SUPPORT = 3.0
GATE, COLD_GATE = 1.1, -1.6
BUCKETS = 64
WIDTH = BUCKETS + 1
"""How many side features an item has."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the towers see of b items.

    `content` (b, t) and `behaviour` (b, d) of length one or zero, `sides` (b, s), `support` (b, 1),
    `length` (b, 1) of the behaviour's targets.
    """

    content: Array
    sides: Array
    behaviour: Array
    support: Array
    length: Array

    def at(self, rows: Array) -> "Inputs":
        """Those of some rows."""
        return Inputs(*(getattr(self, name)[rows] for name in INPUTS))

    def without_behaviour(self, kept: Array) -> "Inputs":
        """The same, with behaviour only where `kept` (b, 1) is 1: a warm item seen as cold."""
        return Inputs(
            self.content, self.sides, self.behaviour * kept, self.support * kept, self.length
        )


INPUTS = ("content", "sides", "behaviour", "support", "length")


def first_parameters(
    content: int, sides: int, behaviour: int, hidden: int, seed: int
) -> Parameters:
    """Parameters with which the towers are a plain gate between behaviour and content.

    The names of the parameters are those of the artifacts, where content is called text.
    """
    rng = np.random.default_rng(seed)

    def drawn(rows: int, columns: int, scale: float) -> Array:
        return (scale * rng.normal(size=(rows, columns))).astype(np.float32)

    made: Parameters = {
        "gate": np.array([[GATE, COLD_GATE]], dtype=np.float32),
        "half_support": np.log(np.array([[HALF_SUPPORT]], dtype=np.float32)),
        "popularity": np.ones((1, 1), dtype=np.float32),
        "sharpness": np.full((1, 1), 3.0, dtype=np.float32),
    }
    for tower in TOWERS:
        made |= {
            f"{tower}.text": np.zeros((content, content), dtype=np.float32),
            f"{tower}.behaviour": np.zeros((behaviour, behaviour), dtype=np.float32),
            f"{tower}.in": drawn(content + sides, hidden, 1 / np.sqrt(content + sides)),
            f"{tower}.in_bias": np.zeros((1, hidden), dtype=np.float32),
            f"{tower}.out": drawn(hidden, behaviour, 0.01),
            f"{tower}.out_bias": np.zeros((1, behaviour), dtype=np.float32),
        }
    return made


def queries(parameters: Parameters, inputs: Inputs) -> tuple[Array, Array]:
    """Content part (b, t) and behaviour part (b, d); the lengths of both sum to one."""
    content, behaviour, known = _encoded(parameters, inputs, "query")
    gate = parameters["gate"]
    share = 1 / (1 + np.e ** -(gate[:, :1] + gate[:, 1:] * (1 - known)))
    return (1 - share) * content, share * behaviour


def targets(parameters: Parameters, inputs: Inputs) -> tuple[Array, Array]:
    """Content part (b, t) and behaviour part (b, d), both of the item's popularity in length."""
    content, behaviour, _ = _encoded(parameters, inputs, "target")
    length = inputs.length ** parameters["popularity"].clip(min=0)
    return length * content, length * behaviour


def _encoded(parameters: Parameters, inputs: Inputs, tower: str) -> tuple[Array, Array, Array]:
    """Content and behaviour of length one, and how far behaviour is known (b, 1), from 0 to 1.

    Behaviour is what was seen, moved towards what content and side features let expect.
    """
    known = inputs.support / (inputs.support + np.e ** parameters["half_support"])
    first, sides = parameters[f"{tower}.in"], inputs.sides
    width = inputs.content.shape[1]
    hidden = inputs.content @ first[:width] + sides @ first[width:] + parameters[f"{tower}.in_bias"]
    expected = hidden.clip(min=0) @ parameters[f"{tower}.out"] + parameters[f"{tower}.out_bias"]
    seen = inputs.behaviour + inputs.behaviour @ parameters[f"{tower}.behaviour"]
    content = inputs.content + inputs.content @ parameters[f"{tower}.text"]
    return _unit(content), _unit(known * seen + expected), known


def _unit(rows: Array) -> Array:
    squares = (rows * rows).sum(1)[:, None]
    return rows / (squares + 1e-12) ** 0.5


@dataclass(frozen=True, slots=True)
class FittedTowers:
    """The towers of one shop; `prices` are median and spread of the log prices.

    Targets that the behaviour does not know are as long as the `shortest` of those it knows.
    """

    behaviour: str
    parameters: Parameters
    prices: tuple[float, float]
    shortest: float

    def apply(self, origins: Origins, catalogue: Catalogue) -> ItemVectors:
        """Queries and targets (n, d of content + d of behaviour); scores are at most 1.

        Items with neither content nor behaviour have zero rows.
        """
        inputs = self.inputs(origins, catalogue)
        width = inputs.content.shape[1] + inputs.behaviour.shape[1]
        asking, found = (np.empty((len(catalogue), width), dtype=np.float32) for _ in TOWERS)
        for block in blocks(len(catalogue), ROWS_AT_ONCE):
            part = inputs.at(block)
            known = (part.support > 0) | part.content.any(axis=1, keepdims=True)
            for side, made in ((queries, asking), (targets, found)):
                made[block] = np.where(known, np.hstack(side(self.parameters, part)), 0)
        return ItemVectors(asking, found)

    def columns(self) -> Columns:
        """The parameters of the towers, the scale of prices and the shortest target."""
        return dict(self.parameters) | {
            "prices": np.array(self.prices, dtype=np.float64),
            "shortest": np.array(self.shortest, dtype=np.float64),
        }

    def inputs(self, origins: Origins, catalogue: Catalogue) -> Inputs:
        """What the towers see."""
        behaviour = named(origins.behaviour, self.behaviour, "learned")
        return Inputs(
            content=origins.joined().matrix,
            sides=side_features(catalogue, self.prices),
            behaviour=behaviour.matrix,
            support=behaviour.support[:, None],
            length=np.minimum(target_lengths(behaviour, self.shortest), 1)[:, None],
        )


def side_features(catalogue: Catalogue, price_scale: tuple[float, float]) -> FloatMatrix:
    """Category, brand and price as numbers (n, WIDTH).

    These are hashed indicators of category levels and brand, then the scaled log price.

    Hashing needs no list of known words, so that new brands have a place as well. What is
    unknown is 0.
    """
    marks = np.zeros((len(catalogue), BUCKETS), dtype=np.float32)
    for row, brand in enumerate(catalogue.brand):
        for word in _words(category_paths(catalogue, row), brand):
            code = zlib.crc32(word.encode())
            marks[row, code % BUCKETS] += 1 if code & 0x8000_0000 else -1
    centre, spread = price_scale
    price = (_log_price(catalogue) - centre) / spread
    price = np.clip(np.nan_to_num(price), -3, 3) / 3
    return np.hstack([unit_rows(marks), price[:, None]]).astype(np.float32)


def price_scale(catalogue: Catalogue) -> tuple[float, float]:
    """Median and spread of the log prices; (0, 1) where there are none, or all are alike."""
    prices = _log_price(catalogue)
    prices = prices[np.isfinite(prices)]
    if not len(prices):
        return 0.0, 1.0
    spread = float(prices.std())
    return float(np.median(prices)), spread if spread > 1e-3 else 1.0


def _log_price(catalogue: Catalogue) -> FloatMatrix:
    known = np.isfinite(catalogue.price) & (catalogue.price > 0)
    logs: FloatMatrix = np.log(
        catalogue.price, out=np.full(len(known), np.nan, np.float32), where=known
    )
    return logs


def _words(categories: Sequence[str], brand: str) -> list[str]:
    paths = list(
        dict.fromkeys(f"category {above}" for path in categories for above in beginnings(path))
    )
    return [*paths, f"brand {brand}"] if brand else paths
