"""Lines: the decoded lines of a text file, compressed or not."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, StringIO, TextIOWrapper
from typing import BinaryIO

from recommender.errors import DataError
from recommender.readers.compression import unpacked
from recommender.readers.files import InputFile

MAX_LINE = 16 * 2**20
_CHUNK = 2**20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class TextLines:
    """The decoded lines of a text file, numbered from 1, each with its line ending.

    While they are read, `number` is the number of the last line, `characters` the length of all
    lines so far, and `undecodable` the number of the last line with bytes outside the `encoding`.
    `shown` is the path for messages. A reader may look `ahead` and `skip` lines that it has seen.
    """

    def __init__(
        self, raw: BinaryIO, text: TextIOWrapper, shown: str, encoding: str, newline: str
    ) -> None:
        self.number = 0
        self.characters = 0
        self.undecodable = 0
        self.shown = shown
        self.encoding = encoding
        self._raw = raw
        self._text = text
        self._newline = newline
        self._wholes: Iterator[str] = iter(())
        self._whole = ""
        self._end = 0
        self._stream: StringIO | None = None

    def __iter__(self) -> Iterator[str]:
        return self.lines(self.chunks())

    def lines(self, chunks: Iterator[str]) -> Iterator[str]:
        """The lines of a text that comes in chunks, which are those of the file."""
        self._wholes = self._whole_lines(chunks)
        return self._lines()

    def ahead(self) -> str:
        """The whole lines that come next, about a million characters; "" at the end."""
        return self._whole[self._place :] if self._filled() else ""

    def skip(self, lines: int, characters: int) -> None:
        """Pass over lines that were seen `ahead`; with negative numbers, go back to the last."""
        self.number += lines
        self.characters += characters
        if self._stream is not None:
            self._stream.seek(self._place)

    def position(self) -> int:
        """The number of bytes of the file, compressed or not, that were read so far."""
        return self._raw.tell()

    def chunks(self) -> Iterator[str]:
        """The text, about a million characters at a time."""
        while chunk := self._read():
            yield chunk

    @property
    def _place(self) -> int:
        """How much of the whole lines in memory was read."""
        return len(self._whole) - (self._end - self.characters)

    def _filled(self) -> bool:
        """Whether a line is left in memory, or could be read from the file."""
        if self.characters == self._end:
            self._whole, self._stream = next(self._wholes, ""), None
            self._end += len(self._whole)
        return self.characters < self._end

    def _lines(self) -> Iterator[str]:
        while self._filled():
            suspect = not is_unicode(self._whole)
            self._stream = StringIO(self._whole, self._newline)
            self._stream.seek(self._place)
            for line in self._stream:
                self.number += 1
                self.characters += len(line)
                if suspect and not is_unicode(line):
                    self.undecodable = self.number
                yield line

    def _whole_lines(self, chunks: Iterator[str]) -> Iterator[str]:
        rest = ""
        for chunk in chunks:
            end = chunk.rfind("\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest += chunk
            if len(rest) > MAX_LINE:
                raise DataError(
                    f"{self.shown} line {self.number + 1:,}: longer than {MAX_LINE:,} "
                    "characters; is this a text file with line endings?"
                )
        if rest:
            yield rest

    def _read(self) -> str:
        try:
            return self._text.read(_CHUNK)
        except DataError as error:
            raise DataError(f"{error} (after line {self.number:,})") from error
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self.shown}: not {self.encoding} after line {self.number:,}; export it again"
            ) from error


@contextmanager
def open_lines(file: InputFile, encoding: str, newline: str) -> Iterator[TextLines]:
    """Open a text file; `newline` as for `open`. Raises: DataError where it is binary."""
    with unpacked(file.path, file.shown, file.compression) as (raw, stream):
        codec = codecs.lookup(encoding).name
        if _is_utf_16(file, stream, codec):
            codec, name = "utf-16", "UTF-16"
        else:
            is_utf8 = codec in {"utf-8", "utf-8-sig"}
            codec, name = ("utf-8-sig", "UTF-8") if is_utf8 else (encoding, encoding)
        with TextIOWrapper(stream, codec, errors="surrogateescape", newline=newline) as text:
            yield TextLines(raw, text, file.shown, name, newline)


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogates, which replace bytes that do not decode."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf_16(file: InputFile, stream: BufferedReader, codec: str) -> bool:
    """Whether a file is UTF-16, as it says itself. Raises: DataError where it is binary."""
    head = stream.peek(4)[:4]
    if codec == "utf-16" or head.startswith(_UTF_16):
        return True
    if b"\0" in head:
        raise DataError(f"{file.shown} looks binary, or like UTF-16; save it as UTF-8 text")
    return False
