"""Values: texts of a column -> numbers, truth values and times, with what is wrong with each."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from recommender.core import item_id
from recommender.readers.checks import EPOCH

Faults = list[str]
"""What is wrong with each text, "" for nothing."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LARGEST = float(np.finfo(np.float32).max)
_FLAGS = dict.fromkeys(("", "true", "t", "yes", "y"), True) | dict.fromkeys(
    ("false", "f", "no", "n"), False
)
_YEAR_10000 = 253_402_300_800
_COMPACT_DATE = len("20101201")


@dataclass(frozen=True, slots=True)
class Distinct:
    """A column of b texts by its distinct ones: row i holds texts[codes[i]], stripped."""

    codes: NDArray[np.intp]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, cells: NDArray[np.object_]) -> "Distinct":
        """Gather the distinct texts of `cells` (b,) by first appearance."""
        every = cells.tolist()
        numbers = {text: number for number, text in enumerate(dict.fromkeys(every))}
        codes = np.fromiter(map(numbers.__getitem__, every), np.intp, len(every))
        return cls(codes, tuple(text.strip() for text in numbers))

    @classmethod
    def of_many(cls, cells: NDArray[np.object_]) -> "Distinct":
        """The same by pandas, whose import pays where there are millions."""
        import pandas as pd

        codes, texts = pd.factorize(cells)
        return cls(codes, tuple(text.strip() for text in texts))

    def where(self, marks: Sequence[bool]) -> NDArray[np.bool_]:
        """Mark rows (b,) by a mark per distinct text."""
        return np.asarray(marks, dtype=bool)[self.codes]


def id_faults(texts: Sequence[str], what: str) -> Faults:
    """What is wrong with texts as ids of `what`."""
    faults = [""] * len(texts)
    for place, fault in item_id.faults(texts):
        faults[place] = f"{what}: {fault}"
    return faults


def numbers(texts: Sequence[str], what: str) -> tuple[NDArray[np.float64], Faults]:
    """Finite decimal numbers within float32, NaN where a text is none."""
    values = [_number(text) for text in texts]
    faults = _faults(texts, values, what, "is not a number")
    return np.array([np.nan if value is None else value for value in values]), faults


def flags(texts: Sequence[str], what: str) -> tuple[NDArray[np.bool_], Faults]:
    """Truth values: words such as yes and f, or numbers, true above zero; empty is true."""
    values = [_flag(text) for text in texts]
    faults = _faults(texts, values, what, "is neither true nor false")
    return np.array([bool(value) for value in values], dtype=bool), faults


@dataclass(frozen=True, slots=True)
class Clock:
    """Reads times: `time_format` is for strptime, "" for ISO 8601, "epoch" for seconds.

    A time without an offset is one of `time_zone`: the first of two where clocks were set back,
    moved on by the gap where they were set forward.
    """

    time_zone: str
    time_format: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", ZoneInfo(self.time_zone))

    def seconds(self, texts: Sequence[str], what: str) -> tuple[NDArray[np.int64], Faults]:
        """Epoch seconds in UTC, fractions cut, 0 where a text is no time."""
        parse = _epoch if self.time_format == EPOCH else self._parsed
        values = [_tried(parse, text) for text in texts]
        faults = _faults(texts, values, what, f"is not {self._named()}")
        return np.array([value or 0 for value in values], dtype=np.int64), faults

    def _parsed(self, text: str) -> int:
        if self.time_format:
            time = datetime.strptime(text, self.time_format)
        elif text.isdigit() and len(text) != _COMPACT_DATE:
            raise ValueError("an epoch number could pass for a date of the Middle Ages")
        else:
            time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=self._zone)
        return int(time.timestamp() // 1)

    def _named(self) -> str:
        if self.time_format == EPOCH:
            return "epoch seconds"
        return f"a time like {self.time_format}" if self.time_format else "an ISO 8601 time"


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) <= _LARGEST else None


def _flag(text: str) -> bool | None:
    flag = _FLAGS.get(text.lower())
    if flag is not None:
        return flag
    value = _number(text)
    return None if value is None else value > 0


def _epoch(text: str) -> int:
    value = _number(text)
    if value is None or abs(value) >= _YEAR_10000:
        raise ValueError("not seconds; perhaps milliseconds")
    return int(value // 1)


def _tried(parse: Callable[[str], int], text: str) -> int | None:
    try:
        return parse(text)
    except ValueError:
        return None


def _faults(texts: Sequence[str], values: Sequence[Any], what: str, fault: str) -> Faults:
    return [
        "" if value is not None else f"{what} {fault}" if text else f"{what} is empty"
        for text, value in zip(texts, values, strict=True)
    ]
