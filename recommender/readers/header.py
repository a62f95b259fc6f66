"""Header: the columns of a file, and which of them the settings mean."""

from dataclasses import dataclass
from difflib import get_close_matches

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import Names

MAX_LISTED = 40
MAX_NAME = 60


@dataclass(frozen=True, slots=True)
class Header:
    """The column names of a file, stripped.

    Raises: DataError where a name stands twice.
    """

    file: str
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        named = [column for column in self.columns if column]
        twice = next((column for column in named if named.count(column) > 1), None)
        if twice is not None:
            raise DataError(f"{self.file}: column {twice!r} stands twice in the header; rename one")

    def names(self, setting: str, value: Names | None, usual: tuple[str, ...]) -> tuple[str, ...]:
        """The columns that a setting means: the first `usual` one there is where it is None.

        Raises: ConfigError where the file lacks a column that is asked for by name.
        """
        if value is None:
            return next(((name,) for name in usual if name in self.columns), ())
        asked = (value,) if isinstance(value, str) else value
        names = tuple(name for name in asked if name)
        for name in names:
            self._require(setting, name)
        return names

    def name(self, setting: str, value: str | None, usual: tuple[str, ...]) -> str:
        """The one column that a setting means, "" for none. Raises: as `names`."""
        return next(iter(self.names(setting, value, usual)), "")

    def listed(self) -> str:
        """The columns as a message shows them."""
        shown = ", ".join(_printable(column) for column in self.columns[:MAX_LISTED])
        more = len(self.columns) - MAX_LISTED
        return f"{shown} and {more} more" if more > 0 else shown

    def _require(self, setting: str, name: str) -> None:
        if name in self.columns:
            return
        by_folded = {column.casefold(): column for column in self.columns}
        close = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
        hint = f"did you mean {by_folded[close[0]]!r}? " if close else ""
        raise ConfigError(
            f"{self.file} has no column {name!r} ({setting}); {hint}its columns: {self.listed()}"
        )


def _printable(name: str) -> str:
    return name[:MAX_NAME] if name.isprintable() else ascii(name[:MAX_NAME])
