"""ReadReport: what became of every row that was read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recommender.readers.quarantine import RefusedRow


@dataclass(frozen=True, slots=True)
class FileReport:
    """The rows of one file: rows = kept + left out + refused.

    Left out by a setting, refused as malformed; `examples` holds the first row of each reason to
    refuse. A malformed record counts as many rows as it has lines.
    """

    key: str
    name: str
    sha256: str
    rows: int
    kept: int
    left_out: Mapping[str, int]
    refused: Mapping[str, int]
    examples: tuple[RefusedRow, ...]

    def plain(self) -> dict[str, Any]:
        """The report as JSON knows it."""
        return asdict(self) | {"examples": [asdict(row) for row in self.examples]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "FileReport":
        """Undo `plain`."""
        examples = tuple(RefusedRow(**row) for row in plain["examples"])
        return cls(**{**plain, "examples": examples})


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was read.

    Of the n items, `cold_items` have no interaction of positive weight, `absent_from_catalogue`
    stand in interactions alone, and `shortened` had a text that was cut. `out_of_scope` counts
    the items that the scope left out, `duplicate_ids` the catalogue rows that a later one
    replaced, `too_old` the kept rows that retention left out in the end.
    """

    files: tuple[FileReport, ...]
    n_items: int
    n_interactions: int
    cold_items: int
    absent_from_catalogue: int
    duplicate_ids: int
    shortened: int
    out_of_scope: int
    too_old: int

    def plain(self) -> dict[str, Any]:
        """The report as JSON knows it."""
        return asdict(self) | {"files": [file.plain() for file in self.files]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "ReadReport":
        """Undo `plain`."""
        files = tuple(FileReport.from_plain(file) for file in plain["files"])
        return cls(**{**plain, "files": files})
