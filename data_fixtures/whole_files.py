"""Files that appear complete or not at all."""

import csv
import gzip
import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

GZIP_LEVEL = 9


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary neighbour of `path`: renamed to it at the end, removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, payload: bytes) -> None:
    """Write `payload` to `path` in one step."""
    with whole_file(path) as temporary:
        temporary.write_bytes(payload)


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """UTF-8 CSV with line feeds, the same bytes on every platform."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def gzip_bytes(payload: bytes) -> bytes:
    """Gzip without a time or a name in its header, so that equal payloads give equal bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", GZIP_LEVEL, packed, mtime=0) as stream:
        stream.write(payload)
    return packed.getvalue()
