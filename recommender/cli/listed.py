"""Listed: ids in a text file, one per line."""

from collections.abc import Iterator
from pathlib import Path

from recommender.errors import DataError


def listed(path: Path | None) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not empty, each with its number; none without a file.

    Raises: DataError naming the file.
    """
    if path is None:
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8, byte {error.start}") from error
    for number, line in enumerate(lines, 1):
        if value := line.removesuffix("\r"):
            yield number, value
