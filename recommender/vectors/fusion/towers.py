"""Two towers: one makes queries, one targets, each of text, sides and behaviour.

The formulas use only what numpy arrays and torch tensors both know, so that what is trained in
torch is exactly what is applied in numpy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor."""

Parameters = dict[str, Any]
TOWERS = ("query", "target")
HALF_SUPPORT = 3.0
GATE, COLD_GATE = 1.1, -1.6


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the towers see of b items.

    `text` (b, t) and `behaviour` (b, d) of length one or zero, `sides` (b, s), `support` (b, 1),
    `length` (b, 1) of the behaviour's targets.
    """

    text: Array
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
            self.text, self.sides, self.behaviour * kept, self.support * kept, self.length
        )


INPUTS = ("text", "sides", "behaviour", "support", "length")


def first_parameters(text: int, sides: int, behaviour: int, hidden: int, seed: int) -> Parameters:
    """Parameters with which the towers are a plain gate between behaviour and text."""
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
            f"{tower}.text": np.zeros((text, text), dtype=np.float32),
            f"{tower}.behaviour": np.zeros((behaviour, behaviour), dtype=np.float32),
            f"{tower}.in": drawn(text + sides, hidden, 1 / np.sqrt(text + sides)),
            f"{tower}.in_bias": np.zeros((1, hidden), dtype=np.float32),
            f"{tower}.out": drawn(hidden, behaviour, 0.01),
            f"{tower}.out_bias": np.zeros((1, behaviour), dtype=np.float32),
        }
    return made


def queries(parameters: Parameters, inputs: Inputs) -> tuple[Array, Array]:
    """Text part (b, t) and behaviour part (b, d); the lengths of both sum to one."""
    text, behaviour, known = _encoded(parameters, inputs, "query")
    gate = parameters["gate"]
    share = 1 / (1 + np.e ** -(gate[:, :1] + gate[:, 1:] * (1 - known)))
    return (1 - share) * text, share * behaviour


def targets(parameters: Parameters, inputs: Inputs) -> tuple[Array, Array]:
    """Text part (b, t) and behaviour part (b, d), both of the item's popularity in length."""
    text, behaviour, _ = _encoded(parameters, inputs, "target")
    length = inputs.length ** parameters["popularity"].clip(min=0)
    return length * text, length * behaviour


def _encoded(parameters: Parameters, inputs: Inputs, tower: str) -> tuple[Array, Array, Array]:
    """Text and behaviour of length one, and how far behaviour is known (b, 1), from 0 to 1.

    Behaviour is what was seen, moved towards what text and sides let expect.
    """
    known = inputs.support / (inputs.support + np.e ** parameters["half_support"])
    first, sides = parameters[f"{tower}.in"], inputs.sides
    width = inputs.text.shape[1]
    hidden = inputs.text @ first[:width] + sides @ first[width:] + parameters[f"{tower}.in_bias"]
    expected = hidden.clip(min=0) @ parameters[f"{tower}.out"] + parameters[f"{tower}.out_bias"]
    seen = inputs.behaviour + inputs.behaviour @ parameters[f"{tower}.behaviour"]
    text = inputs.text + inputs.text @ parameters[f"{tower}.text"]
    return _unit(text), _unit(known * seen + expected), known


def _unit(rows: Array) -> Array:
    squares = (rows * rows).sum(1)[:, None]
    return rows / (squares + 1e-12) ** 0.5
