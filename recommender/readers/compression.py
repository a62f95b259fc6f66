"""Compression: the unpacked bytes of an input file, within bounds.

gzip and zip are read by the standard library, Zstandard by pyarrow. A file that unpacks to more
than `RATIO` times its size is refused: it would fill the memory from a few kilobytes.
"""

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, Literal, cast

from recommender.errors import ConfigError, DataError

Compression = Literal["", "gz", "zst", "zip"]
COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst", ".zip": "zip"}
_MAGIC: dict[bytes, Compression] = {
    b"\x1f\x8b": "gz",
    b"\x28\xb5\x2f\xfd": "zst",
    b"PK\x03\x04": "zip",
}
RATIO = 200
SMALL = 64 * 2**20
"""The number of bytes that any file may unpack to."""
BROKEN = (
    *(EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile),
    *(NotImplementedError, ValueError, OverflowError),  # of names, places and sizes in a zip file
)
"""What reading a broken gzip or zip file raises, besides OSError."""


@contextmanager
def unpacked(
    path: Path, shown: str, compression: Compression
) -> Iterator[tuple[BinaryIO, BufferedReader]]:
    """Open a file: the file as stored, whose position is progress, and its unpacked bytes.

    Reading raises DataError where the file is broken or unpacks to too much; `shown` names it.
    Raises: ConfigError where a zip file has not one file.
    """
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("rb"))
        compression = compression or _told(raw)
        if not compression:
            yield raw, raw
            return
        with _whole(shown):
            stream = _stream(stack, raw, shown, compression)
        bounded = _Unpacked(stream, shown, path.stat().st_size)
        yield raw, BufferedReader(bounded)


def member(path: Path, shown: str) -> str:
    """The name of the one file in a zip file.

    Raises: ConfigError where it has none or several; DataError where it is broken.
    """
    with _whole(shown), zipfile.ZipFile(path) as archive:
        return _member(archive, shown).filename


def require_bounded(path: Path, shown: str, unpacked: int) -> None:
    """Raises: DataError where a file of some size says that it unpacks to far more."""
    _require_bounded(shown, path.stat().st_size, unpacked)


def _told(raw: BufferedReader) -> Compression:
    """The compression that a file without its ending shows by its first bytes."""
    head = raw.peek(4)[:4]
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


class _Unpacked(RawIOBase):
    """The unpacked bytes of a file of `size` bytes."""

    def __init__(self, stream: BinaryIO, shown: str, size: int) -> None:
        self._stream = stream
        self._shown = shown
        self._size = size
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        with _whole(self._shown):
            found = self._stream.read(len(view))
        self._read += len(found)
        _require_bounded(self._shown, self._size, self._read)
        view[: len(found)] = found
        return len(found)


def _stream(
    stack: ExitStack, raw: BufferedReader, shown: str, compression: Compression
) -> BinaryIO:
    if compression == "gz":
        return cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=raw)))
    if compression == "zip":
        archive = stack.enter_context(zipfile.ZipFile(raw))
        return cast("BinaryIO", stack.enter_context(archive.open(_member(archive, shown))))
    import pyarrow as pa

    return cast("BinaryIO", stack.enter_context(pa.CompressedInputStream(raw, "zstd")))


def _member(archive: zipfile.ZipFile, shown: str) -> zipfile.ZipInfo:
    found = [
        each
        for each in archive.infolist()
        if not (each.is_dir() or each.filename.startswith("__MACOSX/"))
    ]
    if len(found) != 1:
        raise ConfigError(
            f"{shown}: has {len(found)} files, and one is read; unpack it and name the "
            "folder, or if it is an Excel file, end its name in .xlsx"
        )
    if found[0].flag_bits & 1:
        raise ConfigError(f"{shown}: is encrypted; unpack it and name the file")
    return found[0]


def _require_bounded(shown: str, size: int, unpacked: int) -> None:
    if unpacked > max(SMALL, RATIO * size):
        raise DataError(
            f"{shown}: unpacks to more than {RATIO} times its {size:,} bytes; if that is right, "
            "unpack it and name the unpacked file"
        )


@contextmanager
def _whole(shown: str) -> Iterator[None]:
    try:
        yield
    except (*BROKEN, OSError) as error:
        if isinstance(error, io.UnsupportedOperation | FileNotFoundError | PermissionError):
            raise
        raise DataError(
            f"{shown}: the compressed file is broken or cut short; export it again"
        ) from error
