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
    `shown` is the path for messages.
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

    def __iter__(self) -> Iterator[str]:
        return self.lines(self.chunks())

    def lines(self, chunks: Iterator[str]) -> Iterator[str]:
        """The lines of a text that comes in chunks, which are those of the file."""
        for chunk in self._whole_lines(chunks):
            suspect = not is_unicode(chunk)
            for line in StringIO(chunk, self._newline):
                self.number += 1
                self.characters += len(line)
                if suspect and not is_unicode(line):
                    self.undecodable = self.number
                yield line

    def position(self) -> int:
        """The number of bytes of the file, compressed or not, that were read so far."""
        return self._raw.tell()

    def chunks(self) -> Iterator[str]:
        """The text, about a million characters at a time."""
        while chunk := self._read():
            yield chunk

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
