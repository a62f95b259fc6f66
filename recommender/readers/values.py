"""Values: the texts of a column as ids, numbers, truth values and clean texts."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recommender.core import item_id
from recommender.core.arrays import Rows, text_codes
from recommender.core.catalogue import MAX_CHARACTERS, MOST_MARK_UP, clean, clean_paragraphs
from recommender.readers.usual_words import IN_STOCK, OUT_OF_STOCK

if TYPE_CHECKING:
    import pyarrow as pa

Faults = list[str]
"""What is wrong with each text; "" where nothing is."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CURRENCY = r"(?:[A-Za-z]{1,3}[$\u010d\u0142]|[A-Za-z]{2,3}\.?|[$\u00a2-\u00a5\u20a0-\u20cf])"
_SPACE = r"[ \u00a0\u202f\u2009]"
_AMOUNT = re.compile(
    rf"(?P<sign>[+-])?{_SPACE}*(?:{_CURRENCY}{_SPACE}*)?(?P<inner>[+-])?"
    rf"(?P<digits>\d[\d.,'\u2019\u00a0\u202f\u2009 ]*?|[.,]\d+)"
    rf"(?:{_SPACE}*{_CURRENCY})?(?P<behind>-)?",
    re.ASCII,
)
_SPACES = re.compile(_SPACE)
_NO_CENTS = re.compile(r"(\d)(?:[.,:]\s?[-\u2013\u2014]{1,2})(?!\d)")
"""No cents, as in `12,-` and `1'299.\u2013`."""
_PARENTHESES = re.compile(r"\(([^()]*\d[^()]*)\)")
"""A negative amount, as accountants write it."""
_GROUPED = re.compile(r"\d{1,3}(?:[.,'\u2019]\d{2,3})*[.,'\u2019]\d{3}|\d+")
_DECIMAL_ALONE = re.compile(r"\d*([.,])(?:\d{1,2}|\d{4,})?")
_POINT_OF_THREE = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_SWISS = re.compile(r"\d{1,3}(?:['\u2019]\d{3})+([.,])\d+")
_THOUSANDS_POINT = re.compile(r"[+-]?\d{1,3}(\.\d{3})+", re.ASCII)
_SHOWS_DECIMAL = re.compile(r"(?:\d[.,]\d{3}|^\D*[\d\s]*)([.,])(?:\d{1,2}|\d{4,})(?:\D*)$")
_WORD_MARKS = re.compile(r"[ _-]")
_LARGEST = float(np.finfo(np.float32).max)
_TRUTH_WORDS = dict.fromkeys(IN_STOCK, True) | dict.fromkeys(OUT_OF_STOCK, False)
_COUNTED = re.compile(
    r"(?:[<>~]|only|just|noch|nur)?\s*(-?\d+)\s*\+?\s*(?:[^\W\d]+\.?\s*)*", re.IGNORECASE
)
"""A number in stock, such as `>10`, `5 pcs` and `only 3 left in stock`."""


@dataclass(frozen=True, slots=True)
class Categorical:
    """A column of b cells by its distinct texts: cell i is `texts[codes[i]]`, stripped."""

    codes: NDArray[np.intp]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, cells: NDArray[np.object_]) -> "Categorical":
        """Factorize `cells` (b,); the texts are in the order of their first appearance."""
        codes, texts = text_codes(cells.tolist())
        return cls(codes.astype(np.intp), tuple(map(str.strip, texts)))

    @classmethod
    def of_many(cls, cells: NDArray[np.object_]) -> "Categorical":
        """Do the same with pandas, which is faster but takes longer to import."""
        import pandas as pd

        codes, texts = pd.factorize(cells)
        return cls(codes, tuple(map(str.strip, texts)))

    @classmethod
    def of_packed(cls, cells: "pa.StringArray") -> "Categorical":
        """Do the same with pyarrow, for texts that it holds."""
        encoded = cells.dictionary_encode()
        texts = encoded.dictionary.to_numpy(zero_copy_only=False).tolist()
        return cls(encoded.indices.to_numpy().astype(np.intp), tuple(map(str.strip, texts)))

    def take(self, rows: NDArray[np.intp]) -> "Categorical":
        """The cells at `rows` alone; the texts are in the order of their first appearance there.

        The rows are in their order, so that all of them are the cells as they are.
        """
        if len(rows) == len(self.codes):
            return self
        import pandas as pd

        codes, used = pd.factorize(self.codes[rows])
        return Categorical(codes, tuple(map(self.texts.__getitem__, used.tolist())))

    def unless(self, unknown: Collection[str]) -> "Categorical":
        """The cells with an empty text in place of the `unknown` ones."""
        if frozenset(unknown).isdisjoint(self.texts):
            return self
        return Categorical(self.codes, tuple("" if t in unknown else t for t in self.texts))

    def where(self, marks: Sequence[bool]) -> NDArray[np.bool_]:
        """A mask of the cells (b,) from a mark per distinct text."""
        return np.asarray(marks, dtype=bool)[self.codes]


class TextCodes:
    """Integer codes of texts by first appearance, from `first` on; an empty text has code -1."""

    def __init__(self, first: int = 0) -> None:
        self._codes = defaultdict(count(first).__next__, {"": -1})
        self._first = first

    @property
    def next(self) -> int:
        """The code of the next new text."""
        return self._first + len(self._codes) - 1

    def codes(self, texts: Iterable[str]) -> Rows:
        """The codes of t texts (t,); a new text gets the next code."""
        return np.fromiter(map(self._codes.__getitem__, texts), np.int32)

    def known(self, texts: Iterable[str]) -> Rows:
        """The codes of t texts (t,), -1 for those that have none."""
        return np.array([self._codes.get(text, -1) for text in texts], dtype=np.int32)

    def texts(self) -> tuple[str, ...]:
        """All texts with a code, in order."""
        return tuple(islice(self._codes, 1, None))


def id_faults(texts: Sequence[str], what: str) -> Faults:
    """What is wrong with each text as an id; `what` names the field."""
    faults = [""] * len(texts)
    for place, fault in item_id.faults(texts):
        faults[place] = f"{what}: {fault}"
    return faults


def numbers(
    texts: Sequence[str], what: str, decimal: str = ""
) -> tuple[NDArray[np.float64], Faults]:
    """Parse finite decimal numbers within float32; NaN where a text is not one.

    A number may have a sign, a currency, and separators of thousands. Where no `decimal` separator
    is given, a comma is one if a text shows it: `12,50`, or `1.234,50`.
    """
    mark = decimal or _decimal_of(texts)
    values, faults = parsed(texts, lambda text: _number(text, mark), what, "is not a number")
    return np.array([np.nan if value is None else value for value in values]), faults


def truth_values(
    texts: Sequence[str], what: str, words: Mapping[str, bool] = MappingProxyType({})
) -> tuple[NDArray[np.bool_], Faults]:
    """Parse words such as yes, f and out of stock, and numbers, which are true above 0.

    Empty is true. `words` are a shop's own, in any case.
    """
    own = {word.casefold(): value for word, value in words.items()}

    def parse(text: str) -> bool:
        value = own.get(text.casefold())
        return _truth_value(text) if value is None else value

    values, faults = parsed(texts, parse, what, "is neither true nor false")
    return np.array([bool(value) for value in values], dtype=bool), faults


def clean_texts(
    texts: Sequence[str], *, paragraphs: bool = False
) -> tuple[list[str], NDArray[np.bool_]]:
    """Clean t texts for documents, and mark (t,) those that were cut.

    `paragraphs` keeps the ends of paragraphs.
    """
    cleaned = [(clean_paragraphs if paragraphs else clean)(text) for text in texts]
    cut = [_is_cut(raw, text) for raw, text in zip(texts, cleaned, strict=True)]
    return cleaned, np.array(cut, dtype=bool)


def _is_cut(raw: str, text: str) -> bool:
    full = len(text) >= MAX_CHARACTERS - 1
    return len(raw) > MOST_MARK_UP or (full and len(raw) > MAX_CHARACTERS)


def parsed(
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


def _decimal_of(texts: Sequence[str]) -> str:
    """The decimal separator that numbers show; a point where they show none."""
    shown = Counter(match[1] for text in texts if (match := _SHOWS_DECIMAL.search(text)))
    if not shown and _are_thousands(texts):
        return ","
    return "," if shown[","] >= max(shown["."], 1) else "."


def _are_thousands(texts: Sequence[str]) -> bool:
    """Whether points stand between thousands: `1.299` next to `899`, and no number is `0.899`."""
    pointed = [text for text in texts if _POINT_OF_THREE.fullmatch(text)]
    whole = any(text.isdigit() and text != "0" for text in texts)
    return bool(pointed) and whole and not any(text.startswith("0.") for text in texts)


def _number(text: str, decimal: str = ".") -> float:
    if not _NUMBER.fullmatch(text):
        text = _plain_number(text, decimal)
    elif decimal == "," and _THOUSANDS_POINT.fullmatch(text):
        text = text.replace(".", "")
    value = float(text)
    if abs(value) > _LARGEST:
        raise ValueError("not a decimal number within float32")
    return value


def _plain_number(text: str, decimal: str) -> str:
    """A number without currency, spaces and separators of thousands. Raises: ValueError."""
    text = _NO_CENTS.sub(r"\1", text.replace("\u2212", "-"))
    if inside := _PARENTHESES.fullmatch(text):
        text = f"-{inside[1]}"
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError("not a number")
    signs = (found["sign"] or "") + (found["inner"] or "") + (found["behind"] or "")
    digits = _SPACES.sub("", found["digits"])
    if (alone := _DECIMAL_ALONE.fullmatch(digits) or _SWISS.fullmatch(digits)) is not None:
        decimal = alone[1]
    other = "." if decimal == "," else ","
    if digits.rfind(other) > digits.rfind(decimal) >= 0:
        decimal, other = other, decimal
    whole, _, rest = digits.partition(decimal)
    if not (_GROUPED.fullmatch(whole) or whole.isdigit() or not whole) or other in rest:
        raise ValueError("separators of thousands that are none")
    plain = f"{signs}{re.sub(r'[^0-9]', '', whole)}.{rest}"
    if not _NUMBER.fullmatch(plain):
        raise ValueError("not a number")
    return plain


def _truth_value(text: str) -> bool:
    word = _WORD_MARKS.sub("", text.rpartition("/")[2].casefold())
    known = _TRUTH_WORDS.get(word)
    if known is not None:
        return known
    try:
        return _number(text) > 0
    except ValueError:
        if found := _COUNTED.fullmatch(text):
            return int(found[1]) > 0
        raise
