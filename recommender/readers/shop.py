"""Shop: the files of a shop, read into its catalogue, its interactions and a report of all rows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recommender.core.catalogue import DOCUMENT_FORMAT, Catalogue
from recommender.core.interactions import Interactions
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError, DataError
from recommender.readers.catalogue import Items, TitleCounts, concatenate
from recommender.readers.columns import map_catalogue, map_interactions
from recommender.readers.files import InputFile, fingerprint, input_files, require_files
from recommender.readers.interactions import (
    HashedUsers,
    InteractionLog,
    KeptInteractions,
    kind_weights,
)
from recommender.readers.row_accounting import FileReport, ReadReport, open_quarantine
from recommender.readers.row_filter import CatalogueRowFilter, InteractionRowFilter
from recommender.readers.sources import CatalogueSource, InteractionSource, Scope
from recommender.readers.tables import TableReader
from recommender.readers.values import TimeParser

FORMAT = 2
"""Raised when the same files and settings are read with another result."""


@dataclass(frozen=True, slots=True)
class ShopSource:
    """Everything that the result of reading depends on; paths are relative to `base`.

    Interactions more than `retention_days` older than the newest are left out; 0 keeps all.
    Without a catalogue, titles come from rows before `titles_before` (epoch seconds; 0: all).

    Raises: ConfigError where there is nothing to read, or a number is out of range.
    """

    catalogue: CatalogueSource
    interactions: tuple[InteractionSource, ...]
    refused_share_max: float = 0.02
    retention_days: int = 0
    titles_before: int = 0
    base: Path = Path()

    def __post_init__(self) -> None:
        if not (self.catalogue.path or self.interactions):
            raise ConfigError("nothing to read: set catalogue.path, interactions.path or both")
        if not 0 <= self.refused_share_max <= 1:
            raise ConfigError(f"refused_share_max {self.refused_share_max!r}: give 0 to 1")
        if self.retention_days < 0:
            raise ConfigError(f"retention_days {self.retention_days}: give 0 or more")

    def files(self) -> tuple[tuple[InputFile, ...], list[tuple[InputFile, ...]]]:
        """The files of the catalogue, and of each source of interactions.

        Raises: ConfigError for an unknown format.
        """
        return input_files(self.catalogue.path, self.base, "catalogue"), [
            input_files(part.path, self.base, f"interactions.{number}")
            for number, part in enumerate(self.interactions)
        ]

    def all_files(self) -> tuple[InputFile, ...]:
        """The files of the catalogue and of all interactions. Raises: as `files`."""
        catalogue, interactions = self.files()
        return catalogue + tuple(file for files in interactions for file in files)


@dataclass(frozen=True, slots=True)
class ShopData:
    """The content of a shop's files."""

    catalogue: Catalogue
    interactions: Interactions
    report: ReadReport


def parameters(source: ShopSource) -> dict[str, object]:
    """Everything that decides the result, except the bytes of the files and the users, as JSON.

    Paths count only by their formats. Raises: ConfigError for an unknown format.
    """
    catalogue, interactions = source.files()
    plain = {
        "format": FORMAT,
        "documents_format": DOCUMENT_FORMAT,
        "refused_share_max": source.refused_share_max,
        "retention_days": source.retention_days,
        "titles_before": source.titles_before,
        "catalogue": asdict(source.catalogue) | {"path": [file.format for file in catalogue]},
        "interactions": [
            asdict(part) | {"path": [file.format for file in files]}
            for part, files in zip(source.interactions, interactions, strict=True)
        ],
    }
    result: dict[str, object] = json.loads(json.dumps(plain, sort_keys=True))
    return result


def input_digests(source: ShopSource) -> dict[str, str]:
    """The sha256 of every file, by its key: `catalogue.0`, `interactions.0.0`.

    Raises: ConfigError where a file is missing or not readable.
    """
    return {file.key: fingerprint(file).sha256 for file in source.all_files()}


def read_shop(
    source: ShopSource, users: HashedUsers, *, quarantine: Path, progress: Progress
) -> ShopData:
    """Read everything; refused rows, if any, are written to the file `quarantine`.

    Progress counts bytes of the files as stored. Raises: ConfigError where a setting does not
    fit the files; DataError where a file is unusable, changes while it is read or has too many
    refused rows, and where there are no items.
    """
    catalogue_files, interaction_files = source.files()
    every = source.all_files()
    require_files(every)
    weights = kind_weights(source.interactions)
    log = InteractionLog(users, TitleCounts(source.titles_before))
    with open_quarantine(quarantine) as refused, progress("read", _size(every)) as advance:
        reader = TableReader(refused, advance, source.refused_share_max)
        items = _read_items(source.catalogue, catalogue_files, reader) if catalogue_files else None
        kinds = {kind: code for code, kind in enumerate(weights)}
        for part, files in zip(source.interactions, interaction_files, strict=True):
            log.begin_source()
            for file in files:
                _read_interactions(part, file, reader, log, kinds, with_titles=items is None)
    kept = log.interactions().within(source.retention_days)
    return _assemble(items, kept, weights, source.catalogue.scope, reader.reports)


def read_catalogue(
    source: ShopSource, wanted: Collection[str], *, quarantine: Path, progress: Progress
) -> Catalogue:
    """The `wanted` items as the catalogue's files describe them; of repeated rows the last counts.

    No interactions are read. Refused rows, if any, are written to the file `quarantine`.
    Raises: ConfigError and DataError as `read_shop`; ConfigError where there is no catalogue;
    DataError naming an item that no file has.
    """
    files, _ = source.files()
    if not files:
        raise ConfigError("catalogue.path is not set, so no file has the titles of products")
    require_files(files)
    total = _size(files)
    with open_quarantine(quarantine) as refused, progress("read the catalogue", total) as advance:
        reader = TableReader(refused, advance, source.refused_share_max)
        items = _read_items(source.catalogue, files, reader)
    places = {item: place for place, item in enumerate(items.ids)}
    if missing := [item for item in wanted if item not in places]:
        count = sum(sum(report.refused.values()) for report in reader.reports)
        shown = ", ".join(file.shown for file in files)
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = f"; {count} of its rows were refused, see {quarantine}" if count else ""
        raise DataError(f"item {missing[0]!r:.60}{others}: not in {shown}{hint}")
    return items.take([places[item] for item in wanted]).catalogue()


def _size(files: Sequence[InputFile]) -> int:
    return sum(file.path.stat().st_size for file in files)


def _read_items(source: CatalogueSource, files: Sequence[InputFile], reader: TableReader) -> Items:
    times = TimeParser(source.time_zone, source.time_format)
    parts: list[Items] = []
    for file in files:
        with reader.open(file, source.delimiter, source.encoding) as table:
            if not table.header.columns:
                continue
            mapping = map_catalogue(table.header, source.columns)
            row_filter = CatalogueRowFilter(mapping, times)
            for block in table.blocks(mapping.columns(), mapping.id_columns()):
                parts.append(row_filter.items(block, table.accounting))
    if not any(part.ids for part in parts):
        shown = ", ".join(file.shown for file in files)
        raise DataError(f"{shown}: no items; export the catalogue again")
    return concatenate(parts)


def _read_interactions(
    source: InteractionSource,
    file: InputFile,
    reader: TableReader,
    log: InteractionLog,
    kinds: Mapping[str, int],
    *,
    with_titles: bool,
) -> None:
    times = TimeParser(source.time_zone, source.time_format)
    with reader.open(file, source.delimiter, source.encoding) as table:
        if not table.header.columns:
            return
        mapping = map_interactions(table.header, source, file.setting, with_titles)
        row_filter = InteractionRowFilter(source, mapping, times, kinds, log.users)
        for block in table.blocks(mapping.columns(), mapping.id_columns()):
            log.add(row_filter.kept_rows(block, table.accounting))


def _assemble(
    items: Items | None,
    kept: KeptInteractions,
    weights: Mapping[str, float],
    scope: Scope,
    files: Sequence[FileReport],
) -> ShopData:
    """Order the items by their ids, and refer the interactions to their rows.

    Of catalogue rows with the same id the last counts. Items that the catalogue lacks are added
    without texts; without a catalogue (None), all items come from the interactions.

    Raises: DataError where no item is left.
    """
    if items is None:
        parts = [Items.from_titles(kept.items, kept.titles, kept.cut)]
    else:
        uncut = np.zeros(len(kept.items), dtype=bool)
        parts = [Items.from_titles(kept.items, [""] * len(kept.items), uncut), items]
    whole = concatenate(parts)
    places = {value: place for place, value in enumerate(whole.ids)}
    in_catalogue = frozenset(() if items is None else items.ids)
    warm = kept.warm_items(weights)
    chosen = sorted(warm if scope == "with_interactions" else places)
    if not chosen:
        raise DataError(
            "no items: no row of the interactions was kept; look at what the settings leave out"
        )
    ordered = whole.take([places[value] for value in chosen])
    catalogue = ordered.catalogue()
    interactions = kept.of_catalogue(catalogue, weights)
    absent = 0 if items is None else sum(each not in in_catalogue for each in chosen)
    report = ReadReport(
        files=tuple(files),
        n_items=len(catalogue),
        n_interactions=len(interactions),
        cold_items=len(catalogue) - len(warm),
        absent_from_catalogue=absent,
        duplicate_ids=(0 if items is None else len(items.ids)) - len(in_catalogue),
        shortened=int(ordered.numbers["cut"].sum()),
        out_of_scope=len(places) - len(chosen),
        too_old=kept.too_old,
    )
    return ShopData(catalogue, interactions, report)
