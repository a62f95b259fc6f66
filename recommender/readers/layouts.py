"""Layouts: the formats of input files, and how a text file is laid out."""

from dataclasses import dataclass
from typing import Literal

from recommender.readers.checks import require, require_dialect

Format = Literal["csv", "tsv", "txt", "json", "jsonl", "xml", "xlsx", "parquet"]
FileFormat = Literal["", Format]
"""A format, or "" for what the ending of a file says."""


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How a text file is laid out; `header` names the columns of a file without a header.

    Raises: ValueError naming the setting that is wrong.
    """

    delimiter: str = ""
    encoding: str = "utf-8"
    skip_lines: int = 0
    comment: str = ""
    escape: str = ""
    header: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_dialect(self.delimiter, self.encoding)
        require(self.skip_lines >= 0, "skip_lines", self.skip_lines, "give 0 or more")
        require(len(self.escape) <= 1, "escape", self.escape, "give one character")
        named = all(name.strip() for name in self.header)
        distinct = len(set(self.header)) == len(self.header)
        require(named and distinct, "header", self.header, "give every column a name of its own")
