"""Lines: the text of a file, unpacked and decoded, with line numbers that people can look up."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, StringIO, TextIOWrapper
from typing import cast

from recommender.errors import DataError
from recommender.readers.files import InputFile

MAX_LINE = 16 * 2**20
_PIECE = 2**20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Lines:
    """The lines of a text file, numbered from 1, each with its ending."""

    def __init__(
        self, file: InputFile, raw: BufferedReader, text: TextIOWrapper, newline: str
    ) -> None:
        self.number = 0
        self.characters = 0
        self.undecodable = 0
        """Number of the last line with bytes outside of the encoding."""
        self._file = file
        self._raw = raw
        self._text = text
        self._newline = newline

    def __iter__(self) -> Iterator[str]:
        for piece in self._pieces():
            suspect = not is_unicode(piece)
            for line in StringIO(piece, self._newline):
                self.number += 1
                self.characters += len(line)
                if suspect and not is_unicode(line):
                    self.undecodable = self.number
                yield line

    def position(self) -> int:
        """Bytes of the file that were read, packed ones where it is packed."""
        return self._raw.tell()

    def _pieces(self) -> Iterator[str]:
        """Whole lines, about a million characters at a time."""
        rest = ""
        while chunk := self._read():
            end = chunk.rfind("\n") + 1
            if end:
                yield rest + chunk[:end]
                rest = chunk[end:]
            else:
                rest += chunk
            if len(rest) > MAX_LINE:
                raise DataError(
                    f"{self._file.shown} line {self.number + 1:,}: longer than {MAX_LINE:,} "
                    "characters; is this a text file with line ends?"
                )
        if rest:
            yield rest

    def _read(self) -> str:
        try:
            return self._text.read(_PIECE)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self._file.shown}: the gzip file is broken or cut short after line "
                f"{self.number:,}; deliver it again"
            ) from error


@contextmanager
def opened_lines(file: InputFile, encoding: str, newline: str) -> Iterator[Lines]:
    """Open a text file; `newline` as for `open`. Raises: DataError where it is UTF-16."""
    with file.path.open("rb") as raw:
        stream = cast("BufferedReader", gzip.GzipFile(fileobj=raw)) if file.compressed else raw
        _require_single_bytes(file, stream)
        codec = "utf-8-sig" if is_utf8(encoding) else encoding
        with TextIOWrapper(stream, codec, errors="surrogateescape", newline=newline) as text:
            yield Lines(file, raw, text, newline)


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8 by one of its names."""
    return encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}


def is_unicode(text: str) -> bool:
    """Whether a text is free of lone surrogates, which stand for bytes that do not decode."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_single_bytes(file: InputFile, stream: BufferedReader) -> None:
    try:
        head = stream.peek(4)[:4]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{file.shown} is no gzip file, or a broken one; deliver it again"
        ) from error
    if head.startswith(_UTF_16) or b"\0" in head:
        raise DataError(f"{file.shown} looks like UTF-16 or binary; save it as UTF-8 text")
