"""JSON documents: the records of one array, decoded one by one.

One record is in memory at a time, with what was read around it, so a document may be of any size.
"""

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder

from recommender.errors import DataError
from recommender.readers.lines import MAX_LINE, TextLines, is_unicode

Element = tuple[int, object, str]
"""The line that an element of an array begins on, its value, and its text."""
_SPACE = re.compile(r"[ \t\r\n]*")


class JsonDocument:
    """A text of JSON, which is read from `chunks`; `line` is the line of what comes next."""

    def __init__(self, chunks: Iterator[str], lines: TextLines, decoder: JSONDecoder) -> None:
        self.line = 1
        self._chunks = chunks
        self._lines = lines
        self._decoder = decoder
        self._text = ""
        self._place = 0

    def records(self) -> Iterator[Element]:
        """The elements of the array, or of the one array in the object.

        Raises: DataError where it is neither, or no JSON.
        """
        if self._skip("["):
            yield from self._elements()
        elif self._skip("{"):
            yield from self._only_array()
        else:
            raise self._neither()
        if self._next():
            raise self._fault("more than one value")

    def _only_array(self) -> Iterator[Element]:
        n_lists, first = 0, True
        while not self._skip("}"):
            if not first:
                self._require(",")
            first = False
            self._value()
            self._require(":")
            if not self._skip("["):
                self._value()
                continue
            n_lists += 1
            if n_lists > 1:
                raise self._neither()
            yield from self._elements()
        if not n_lists:
            raise self._neither()

    def _elements(self) -> Iterator[Element]:
        if self._skip("]"):
            return
        while True:
            self._next()
            line = self.line
            value, text = self._value()
            yield line, value, text
            if self._skip("]"):
                return
            self._require(",")

    def _value(self) -> tuple[object, str]:
        """The next value and its text; more is read until it is whole."""
        self._next()
        while True:
            value, end, why = self._decoded()
            whole = not why and end < len(self._text)
            if not whole and len(self._text) - self._place > MAX_LINE:
                raise self._fault(why or f"a value longer than {MAX_LINE:,} characters")
            if whole or not self._more():
                break
        if why:
            raise self._fault(why)
        text = self._text[self._place : end]
        self._pass(end)
        return value, text

    def _decoded(self) -> tuple[object, int, str]:
        """The value here, where it ends and, if it is not whole or not JSON, why."""
        try:
            return *self._decoder.raw_decode(self._text, self._place), ""
        except JSONDecodeError as error:
            return None, 0, error.msg
        except (ValueError, RecursionError) as error:
            return None, 0, str(error)

    def _next(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            space = _SPACE.match(self._text, self._place)
            self._pass(space.end() if space else self._place)
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def _skip(self, mark: str) -> bool:
        if self._next() != mark:
            return False
        self._pass(self._place + 1)
        return True

    def _require(self, mark: str) -> None:
        if not self._skip(mark):
            raise self._fault(f"{mark!r} expected")

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._place, end)
        self._place = end

    def _more(self) -> bool:
        chunk = next(self._chunks, "")
        if not is_unicode(chunk):
            raise DataError(f"{self._lines.shown}: not {self._lines.encoding}; set encoding")
        self._lines.characters += len(chunk)
        self._text, self._place = self._text[self._place :] + chunk, 0
        return bool(chunk)

    def _fault(self, why: str) -> DataError:
        return DataError(
            f"{self._lines.shown} is not JSON: line {self.line:,}: {why}; export it again"
        )

    def _neither(self) -> DataError:
        return DataError(
            f"{self._lines.shown}: neither JSON lines, an array, nor an object with one array"
        )
