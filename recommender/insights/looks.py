"""Looks: how a file is laid out, which columns it has, and their first values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from recommender.errors import ConfigError, RecommenderError
from recommender.insights.column_words import IDS
from recommender.readers.fetching import Copies, Origin
from recommender.readers.files import InputFile, input_files, require_files
from recommender.readers.json_tables import LIST
from recommender.readers.layouts import TextLayout
from recommender.readers.shop_source import SAMPLED_EVENTS
from recommender.readers.tables import open_sample

REFUSED_MAX = 0.02
DELIMITERS = (";", "\t", "|", ",", "^", "~", "\x01")
OWN_FILES = ("recommender.toml", "package.json", "package-lock.json")


@dataclass(frozen=True, slots=True)
class Look:
    """A file with the settings of its layout, and the texts (n,) of each column in n first rows."""

    file: InputFile
    layout: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fault: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)
    """The settings of a database in place of the path, if it is the result of a query."""

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns."""
        return frozenset(self.cells)


def looks(names: Sequence[str], base: Path) -> list[Look]:
    """Look into files, or without names into those of the folder `base` that have a known format.

    Raises: ConfigError where there is none, or where a named file is missing.
    """
    files = [file for name in names or _present(base) for file in input_files(name, base, "")]
    require_files(tuple(files))
    archives = [] if names else _several(base)
    if not (files or archives):
        raise ConfigError(
            f"{base}: no file of a known format (.csv, .tsv, .txt, .json, .jsonl, .xml, .xlsx, "
            ".parquet); name the files of your catalogue and your orders"
        )
    return [*map(look, files), *archives]


def database_looks(url: str, queries: Sequence[str], copies: Copies) -> list[Look]:
    """Look at the first rows of queries. Raises: as `Copies.fetch`."""
    found = []
    for number, query in enumerate(queries, start=1):
        origin = Origin(f"query {number}", url, query, SAMPLED_EVENTS)
        copies.fetch(origin)
        (_, path), *_ = copies.found(origin)
        file = InputFile(f"query {number}", 0, f"query {number}", path, "parquet")
        found.append(replace(look(file), origin={"url": url, "query": query}))
    return found


def look(file: InputFile, skip_lines: int = 0) -> Look:
    """A file as the layout that fits it best shows it; with a `fault` where none does."""
    best, least, first = None, REFUSED_MAX, ""
    skipped = {"skip_lines": skip_lines} if skip_lines else {}
    for each in _layouts(file):
        layout = each | skipped
        try:
            cells, refused = _cells(file, TextLayout(**layout))
        except RecommenderError as error:
            first = first or str(error)
            continue
        if not cells:
            first = first or f"{file.shown}: no row can be read"
        elif best is None or refused < least:
            best, least = Look(file, layout, cells), min(refused, REFUSED_MAX)
        if best is not None and not refused:
            break
    return best or Look(file, fault=first)


def _cells(file: InputFile, layout: TextLayout) -> tuple[dict[str, list[str]], float]:
    """The columns of texts with their first values, and the share of rows that were refused.

    A column with an object or a list in it is left out. Raises: as `open_sample`.
    """
    others: set[str] = set()
    while True:
        with open_sample(file, layout) as table:
            columns = table.header.columns
            names = [name for name in columns if name and columns.count(name) == 1]
            names = [name for name in _texts(names) if name not in others]
            block = next(iter(table.blocks(names, _ids_in_lists(names))), None)
            examples = table.accounting.examples()
            n_rows = 0 if block is None else len(block.lines)
            refused = table.accounting.rows / max(table.accounting.rows + n_rows, 1)
        found = {each.column for each in examples if each.column} - others
        if found and refused > REFUSED_MAX:
            others |= found
            continue
        if block is None:
            return {}, refused
        return {name: [t.strip() for t in block.cells[name].tolist()] for name in names}, refused


def _texts(names: Sequence[str]) -> list[str]:
    """The names that are read together: none of an object, and those within one list alone."""
    inside = {name.partition(LIST)[0]: name for name in names if LIST in name}
    chosen = next(iter(_ids_in_lists(names)), next(iter(inside.values()), "")).partition(LIST)[0]
    short = {name.replace(LIST, ".") for name in names if LIST in name}
    objects = {
        name[:place]
        for name in names
        for place in range(len(name))
        if name[place] == "." or name.startswith(LIST, place)
    }
    return [
        name
        for name in names
        if name not in objects
        and name not in short
        and (LIST not in name or name.partition(LIST)[0] == chosen)
    ]


def _ids_in_lists(names: Sequence[str]) -> list[str]:
    """The names of item ids within lists, which have a row for each element."""
    return [name for name in names if LIST in name and plain(name.rpartition(".")[2]) in IDS]


def plain(name: str) -> str:
    """A name of a column in small letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _layouts(file: InputFile) -> Iterator[dict[str, Any]]:
    yield {}
    if file.format in {"csv", "tsv", "txt"}:
        yield from ({"delimiter": each} for each in DELIMITERS)
        yield {"encoding": "cp1252"}
        yield from ({"delimiter": each, "encoding": "cp1252"} for each in DELIMITERS)


def _present(base: Path) -> list[str]:
    found = []
    for path in sorted(base.iterdir()):
        if path.is_file() and path.name not in OWN_FILES and not path.name.startswith("."):
            try:
                input_files(path.name, base, "")
            except RecommenderError:
                continue
            found.append(path.name)
    return found


def _several(base: Path) -> list[Look]:
    """The zip files of a folder that have no or several files, with what is to be done."""
    found = []
    for path in sorted(base.glob("*.zip")):
        try:
            input_files(path.name, base, "")
        except RecommenderError as error:
            if path.suffixes != [".zip"] or "has " in str(error):
                file = InputFile("", 0, path.name, path, "csv", "zip")
                found.append(Look(file, fault=str(error)))
    return found


def same_layout(one: Look, other: Look) -> bool:
    """Whether two files have the same columns and layout, as daily files have."""
    files = not (one.origin or other.origin)
    return files and one.columns == other.columns and one.layout == other.layout
