"""Plain rows: the lines of a text table that can be read in one way only, split by pyarrow.

A line is plain where it is one row with as many fields as the header, of which one has a value, and
where each quote encloses a field or is doubled in one that is enclosed. Marks of comments and
escapes, NUL, lone carriage returns and bytes that do not decode are never plain. Python's csv
module reads the other lines, so that each is read, or refused, as if it had read them all.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

FEWEST = 2**16
"""The characters of a text for which importing pyarrow pays."""
PLAIN_SHARE = 0.5
"""The least share of plain lines in a text for which finding them pays."""
_QUOTE, _NEWLINE, _RETURN, _NUL = b'"\n\r\0'
_SURROGATES = 0xED, 0xA0
"""The first byte of a surrogate in UTF-8, and the least second one."""
_OF_MARK = 0xEF
"""The first byte of a byte order mark, which pyarrow removes from the first line."""

Bytes = NDArray[np.uint8]
Places = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PlainRows:
    """p rows of one line each.

    `lines` (p,) are the numbers of their lines, `ends` (p,) the characters of the file up to the
    end of each, and `cells` the texts (p,) of each column.
    """

    lines: NDArray[np.int64]
    ends: NDArray[np.int64]
    cells: Mapping[str, "pa.StringArray"]

    def __len__(self) -> int:
        return len(self.lines)

    def part(self, start: int, stop: int) -> "PlainRows":
        """The rows from `start` to `stop`, which share memory with all of them."""
        return PlainRows(
            self.lines[start:stop],
            self.ends[start:stop],
            {name: cells[start:stop] for name, cells in self.cells.items()},
        )


@dataclass(frozen=True, slots=True)
class PlainText:
    """The n lines of a text: those at the places `careful` are not plain, and `plain` has the rest.

    `ends` (n,) are the characters of the text up to the end of each line.
    """

    plain: PlainRows
    careful: list[int]

    def rows_from(self, line: int) -> PlainRows | None:
        """The plain rows from a place among the lines to the next that is not; None without one."""
        before = bisect_left(self.careful, line)
        following = self.careful[before : before + 1]
        stop = following[0] - before if following else len(self.plain)
        return self.plain.part(line - before, stop) if line - before < stop else None


@dataclass(frozen=True, slots=True)
class PlainSplitter:
    """Finds the plain lines of a table with `width` columns, and splits them.

    `places` are the columns to read. A line that begins with `comment`, has an `escape`, or has
    more bytes than `longest`, is not plain.
    """

    delimiter: str
    width: int
    places: Mapping[str, int]
    comment: str = ""
    escape: str = ""
    longest: int = 2**24
    _marks: Bytes = field(init=False, repr=False, compare=False)

    def split(self, text: str, number: int, characters: int) -> PlainText | None:
        """The plain lines of a text of whole lines, after a `number` of lines and `characters`.

        None where it pays to read the text line by line.
        """
        usable = (self.delimiter + self.escape).isascii() and self.delimiter not in {
            '"',
            "\r",
            "\n",
            "\0",
        }
        if not usable or len(text) < FEWEST:
            return None
        raw = text.encode("utf-8", "surrogatepass")
        data = np.frombuffer(raw, np.uint8)
        if _has_lone_return(raw, data):
            return None
        ends = np.flatnonzero(data == _NEWLINE) + 1
        if not len(ends) or ends[-1] < len(data):
            ends = np.append(ends, len(data))
        plain = self._plain(raw, data, ends, ascii_only=len(raw) == len(text))
        if not plain.any() or plain.mean() < PLAIN_SHARE:
            return None
        careful = np.flatnonzero(~plain)
        if len(careful):
            raw = data[np.repeat(plain, np.diff(ends, prepend=0))].tobytes()
        if len(data) > len(text):
            ends = np.cumsum((data & 0xC0) != 0x80)[ends - 1]
        rows = PlainRows(
            np.flatnonzero(plain) + (number + 1), ends[plain] + characters, self._cells(raw)
        )
        return PlainText(rows, careful.tolist())

    def _plain(self, raw: bytes, data: Bytes, ends: Places, *, ascii_only: bool) -> Mask:
        """Which lines of the bytes, by where they end, are plain (n,)."""
        starts = np.append(0, ends[:-1])
        plain: Mask = ends - starts <= self.longest
        delimiters = np.flatnonzero(data == ord(self.delimiter))
        n_fields = np.diff(np.searchsorted(delimiters, ends), prepend=0) + 1
        filled = ends - starts - _line_end_sizes(data, ends)
        if b'"' in raw:
            quotes = _Quotes.of(data, starts, ends)
            plain &= quotes.well_placed(data, ord(self.delimiter), (starts, ends))
            n_fields -= quotes.enclosed(delimiters)
            filled -= quotes.number
        plain &= (n_fields == self.width) & (filled >= self.width)
        for mark in {_NUL, *self.escape.encode()}:
            if mark in raw:
                plain[np.searchsorted(ends, np.flatnonzero(data == mark), side="right")] = False
        if self.comment:
            plain &= data[starts] != self.comment.encode()[0]
        if not ascii_only:
            plain &= data[starts] != _OF_MARK
            surrogates = (data[:-1] == _SURROGATES[0]) & (data[1:] >= _SURROGATES[1])
            plain[np.searchsorted(ends, np.flatnonzero(surrogates), side="right")] = False
        return plain

    def _cells(self, raw: bytes) -> dict[str, Any]:
        """The columns of plain lines."""
        import pyarrow as pa
        from pyarrow import csv

        columns = [str(place) for place in range(self.width)]
        table = csv.read_csv(
            pa.BufferReader(raw),
            csv.ReadOptions(use_threads=False, block_size=len(raw) + 1, column_names=columns),
            csv.ParseOptions(delimiter=self.delimiter, quote_char='"' if b'"' in raw else False),
            csv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=[columns[place] for place in self.places.values()],
            ),
        )
        return {
            name: pa.concat_arrays(table.column(str(place)).chunks)
            for name, place in self.places.items()
        }


@dataclass(frozen=True, slots=True)
class _Quotes:
    """The q quotes of n lines: where each is (q,), its line (q,), and how many lines have (n,).

    The quotes of a line open and close by turns.
    """

    places: Places
    line: Places
    closing: Mask
    number: Places

    @classmethod
    def of(cls, data: Bytes, starts: Places, ends: Places) -> "_Quotes":
        places = np.flatnonzero(data == _QUOTE)
        line = np.searchsorted(ends, places, side="right")
        first = np.searchsorted(places, starts)
        closing = (np.arange(len(places)) - first[line]) % 2 == 1
        return cls(places, line, closing, np.diff(first, append=len(places)))

    def well_placed(self, data: Bytes, delimiter: int, bounds: tuple[Places, Places]) -> Mask:
        """Which lines (n,) have quotes around whole fields, or doubled in these, alone."""
        starts, ends = bounds
        around = np.zeros(256, dtype=bool)
        around[[delimiter, _QUOTE]] = True
        before = (self.places == starts[self.line]) | around[data[self.places - 1]]
        around[[_NEWLINE, _RETURN]] = True
        following = np.minimum(self.places + 1, len(data) - 1)
        after = (self.places + 1 == ends[self.line]) | around[data[following]]
        placed: Mask = self.number % 2 == 0
        placed[self.line[~np.where(self.closing, after, before)]] = False
        return placed

    def enclosed(self, delimiters: Places) -> Places:
        """How many delimiters of each line (n,) are between quotes, where these come in pairs."""
        before = np.searchsorted(delimiters, self.places)
        signed = np.where(self.closing, before, -before)
        sums = np.bincount(self.line, signed, minlength=len(self.number))
        return sums.astype(np.intp)


def _line_end_sizes(data: Bytes, ends: Places) -> Places:
    """The bytes that end each line, of which the last of a text may have none (n,)."""
    closed = data[ends - 1] == _NEWLINE
    sizes: Places = closed + (closed & (ends > 1) & (data[ends - 2] == _RETURN)).astype(np.intp)
    return sizes


def _has_lone_return(raw: bytes, data: Bytes) -> bool:
    """Whether a carriage return ends a line alone."""
    if b"\r" not in raw:
        return False
    returns = np.flatnonzero(data == _RETURN) + 1
    return bool(returns[-1] == len(data) or (data[returns] != _NEWLINE).any())
