"""Values: the texts of a column as ids, numbers, truth values, times and clean texts."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from recommender.core import item_id
from recommender.core.arrays import Rows, text_codes
from recommender.core.catalogue import MAX_CHARACTERS, clean
from recommender.readers.sources import EPOCH

Faults = list[str]
"""What is wrong with each text; "" where nothing is."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LARGEST = float(np.finfo(np.float32).max)
_TRUTH_WORDS = dict.fromkeys(("", "true", "t", "yes", "y"), True) | dict.fromkeys(
    ("false", "f", "no", "n"), False
)
_YEAR_10000 = 253_402_300_800
_COMPACT_DATE = len("20101201")


@dataclass(frozen=True, slots=True)
class Categorical:
    """A column of b cells by its distinct texts: cell i is `texts[codes[i]]`, stripped."""

    codes: NDArray[np.intp]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, cells: NDArray[np.object_]) -> "Categorical":
        """Factorize `cells` (b,); the texts are in the order of their first appearance."""
        codes, texts = text_codes(cells.tolist())
        return cls(codes.astype(np.intp), tuple(text.strip() for text in texts))

    @classmethod
    def of_many(cls, cells: NDArray[np.object_]) -> "Categorical":
        """Do the same with pandas, which is faster but takes longer to import."""
        import pandas as pd

        codes, texts = pd.factorize(cells)
        return cls(codes, tuple(text.strip() for text in texts))

    def where(self, marks: Sequence[bool]) -> NDArray[np.bool_]:
        """A mask of the cells (b,) from a mark per distinct text."""
        return np.asarray(marks, dtype=bool)[self.codes]


class TextCodes:
    """Integer codes of texts by first appearance, from `first` on; an empty text has code -1."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._codes: dict[str, int] = {}

    @property
    def next(self) -> int:
        """The code of the next new text."""
        return self._first + len(self._codes)

    def codes(self, texts: Iterable[str]) -> Rows:
        """The codes of t texts (t,); a new text gets the next code."""
        known = self._codes
        return np.array(
            [known.setdefault(text, self.next) if text else -1 for text in texts], dtype=np.int32
        )

    def texts(self) -> tuple[str, ...]:
        """All texts with a code, in order."""
        return tuple(self._codes)


def id_faults(texts: Sequence[str], what: str) -> Faults:
    """What is wrong with each text as an id; `what` names the field."""
    faults = [""] * len(texts)
    for place, fault in item_id.faults(texts):
        faults[place] = f"{what}: {fault}"
    return faults


def numbers(texts: Sequence[str], what: str) -> tuple[NDArray[np.float64], Faults]:
    """Parse finite decimal numbers within float32; NaN where a text is not one."""
    values, faults = _parsed(texts, _number, what, "is not a number")
    return np.array([np.nan if value is None else value for value in values]), faults


def truth_values(texts: Sequence[str], what: str) -> tuple[NDArray[np.bool_], Faults]:
    """Parse words such as yes and f, and numbers, which are true above 0; empty is true."""
    values, faults = _parsed(texts, _truth_value, what, "is neither true nor false")
    return np.array([bool(value) for value in values], dtype=bool), faults


@dataclass(frozen=True, slots=True)
class TimeParser:
    """Parses times: `time_format` is for strptime, "" for ISO 8601, "epoch" for seconds.

    A time without an offset is in `time_zone`. Where clocks are set back, an ambiguous time is the
    first of the two; where they are set forward, a time in the gap is moved on by the gap.
    """

    time_zone: str
    time_format: str
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", ZoneInfo(self.time_zone))

    def seconds(self, texts: Sequence[str], what: str) -> tuple[NDArray[np.int64], Faults]:
        """Epoch seconds in UTC, rounded down; 0 where a text is not a time."""
        parse = _epoch if self.time_format == EPOCH else self._second
        values, faults = _parsed(texts, parse, what, f"is not {self._expected()}")
        return np.array([value or 0 for value in values], dtype=np.int64), faults

    def _second(self, text: str) -> int:
        if self.time_format:
            time = datetime.strptime(text, self.time_format)
        elif text.isdigit() and len(text) != _COMPACT_DATE:
            raise ValueError("an epoch number could be mistaken for a date of the Middle Ages")
        else:
            time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=self._zone)
        return int(time.timestamp() // 1)

    def _expected(self) -> str:
        if self.time_format == EPOCH:
            return "epoch seconds"
        return f"a time like {self.time_format}" if self.time_format else "an ISO 8601 time"


def clean_texts(texts: Sequence[str]) -> tuple[list[str], NDArray[np.bool_]]:
    """Clean t texts for documents, and mark (t,) those that were cut."""
    cleaned = [clean(text) for text in texts]
    cut = [_is_cut(raw, text) for raw, text in zip(texts, cleaned, strict=True)]
    return cleaned, np.array(cut, dtype=bool)


def _is_cut(raw: str, text: str) -> bool:
    full = len(text) >= MAX_CHARACTERS - 1
    return len(raw) > 4 * MAX_CHARACTERS or (full and len(raw) > MAX_CHARACTERS)


def _parsed(
    texts: Sequence[str], parse: Callable[[str], Any], what: str, fault: str
) -> tuple[list[Any], Faults]:
    """The values of the texts, and what is wrong with those that have none (None)."""
    values, faults = [], []
    for text in texts:
        try:
            values.append(parse(text))
            faults.append("")
        except ValueError:
            values.append(None)
            faults.append(f"{what} {fault}" if text else f"{what} is empty")
    return values, faults


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or abs(value := float(text)) > _LARGEST:
        raise ValueError("not a decimal number within float32")
    return value


def _truth_value(text: str) -> bool:
    known = _TRUTH_WORDS.get(text.lower())
    return _number(text) > 0 if known is None else known


def _epoch(text: str) -> int:
    value = _number(text)
    if abs(value) >= _YEAR_10000:
        raise ValueError("not seconds; perhaps milliseconds")
    return int(value // 1)
