"""Shop: the files of a shop, read into its catalogue, its interactions and a report of all rows."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from recommender.core.catalogue import Catalogue
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError, DataError
from recommender.readers.assembly import ShopData, assemble
from recommender.readers.catalogue import Items, concatenate, merged, with_families
from recommender.readers.catalogue_rows import CatalogueRowFilter
from recommender.readers.categories import category_paths
from recommender.readers.columns import map_catalogue, map_interactions
from recommender.readers.files import InputFile, require_files
from recommender.readers.id_repairs import by_folded_case
from recommender.readers.interactions import HashedUsers, InteractionLog, kind_weights
from recommender.readers.joining import Join, joined, require_joined
from recommender.readers.other_columns import better_columns
from recommender.readers.row_accounting import FileReport, open_quarantine
from recommender.readers.row_filter import WITHOUT_WEIGHT, InteractionRowFilter
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.readers.tables import OpenTable, TableReader
from recommender.readers.times import TimeParser
from recommender.readers.titles import TitleCounts

SAMPLED_FILES = 12
"""The most files of a source that a sample looks into."""


def read_shop(
    source: ShopSource,
    users: HashedUsers,
    *,
    quarantine: Path,
    progress: Progress,
    sample: bool = False,
) -> ShopData:
    """Read everything; refused rows, if any, are written to the file `quarantine`.

    Of a `sample`, the catalogue is read, and the first block of up to `SAMPLED_FILES` files of each
    source of interactions. Progress counts bytes of the files as stored.

    Raises: ConfigError where a setting does not fit the files; DataError where a file is unusable,
    changes while it is read or has too many refused rows, and where there are no items.
    """
    catalogue_files, interaction_files = source.files()
    every = source.all_files()
    require_files(every)
    weights = kind_weights(source.interactions)
    log = InteractionLog(users, TitleCounts(source.titles_before))
    with open_quarantine(quarantine) as refused, progress("read", _size(every)) as advance:
        reader = TableReader(refused, advance, source.refused_share_max, source.rows_max)
        items = _read_items(source.catalogue, catalogue_files, reader) if catalogue_files else None
        kinds = {kind: code for code, kind in enumerate(weights)}
        for part, files in zip(source.interactions, interaction_files, strict=True):
            log.begin_source()
            folded = () if items is None or not part.ids.fold_case else items.ids
            known = None if items is None else by_folded_case(folded)
            for file in sampled(files) if sample else files:
                with reader.open(file, part.layout, sample=sample) as table:
                    _read_interactions(part, file, table, log, (kinds, known))
            log.end_source()
    _require_weighed(reader.reports[len(catalogue_files) :], weights)
    bought = max(kinds, key=lambda kind: weights[kind], default="")
    kept = log.interactions(kinds.get(bought, 0))
    kept = kept.until(source.as_of).within(source.retention_days)
    if items is None:
        return assemble(None, kept, weights, source.catalogue, reader.reports)
    joins = _joins(items, log)
    require_joined(joins, source.joined_share_min, better_columns_of(source))
    return assemble(items, kept, weights, source.catalogue, reader.reports, joins)


def sampled(files: Sequence[InputFile]) -> Sequence[InputFile]:
    """At most `SAMPLED_FILES` of the files, the first, the last, and others between them."""
    if len(files) <= SAMPLED_FILES:
        return files
    last = len(files) - 1
    return [files[last * place // (SAMPLED_FILES - 1)] for place in range(SAMPLED_FILES)]


def better_columns_of(source: ShopSource) -> Callable[[str], str]:
    """Which columns of an input, by its key, would meet the catalogue better.

    Raises: ConfigError for an unknown format.
    """
    catalogue_files, interaction_files = source.files()

    def better(key: str) -> str:
        number = int(key.rpartition(".")[2]) if "." in key else 0
        events = source.interactions[number], interaction_files[number]
        return better_columns((source.catalogue, catalogue_files), events)

    return better


def _require_weighed(reports: Sequence[FileReport], weights: Mapping[str, float]) -> None:
    """Raises: DataError where no event is kept, for their kinds have no weight."""
    unweighed = Counter[str]()
    for report in reports:
        for reason, rows in report.left_out.items():
            if reason.endswith(WITHOUT_WEIGHT):
                unweighed[reason.removeprefix("kind ").removesuffix(WITHOUT_WEIGHT)] += rows
    if unweighed and not any(report.kept for report in reports):
        found = ", ".join(f"{kind} ({rows:,})" for kind, rows in unweighed.most_common(5))
        kind = unweighed.most_common(1)[0][0]
        raise DataError(
            f"no event counts: their kinds are {found}, and interactions.weights has "
            f"{', '.join(weights)}; set interactions.weights = {{ {json.dumps(kind)} = 1.0 }}"
        )


def _joins(items: Items, log: InteractionLog) -> tuple[Join, ...]:
    shown = [
        value
        for value, hidden in zip(items.ids, items.numbers["hidden"].tolist(), strict=True)
        if hidden != 1
    ]
    sources = log.events_by_id()
    return tuple(
        joined(
            f"interactions.{number}" if len(sources) > 1 else "interactions", sold, items.ids, shown
        )
        for number, sold in enumerate(sources)
    )


def read_catalogue(
    source: ShopSource, wanted: Collection[str], *, quarantine: Path, progress: Progress
) -> Catalogue:
    """The `wanted` items as the catalogue's files describe them.

    No interactions are read. Refused rows, if any, are written to the file `quarantine`.
    Raises: ConfigError and DataError as `read_shop`; ConfigError where there is no catalogue;
    DataError naming an item that no file has.
    """
    if not source.catalogue.given:
        raise ConfigError("catalogue.path is not set, so no file has the titles of products")
    dataclasses.replace(source, interactions=()).fetch()
    files, _ = source.files()
    require_files(files)
    total = _size(files)
    with open_quarantine(quarantine) as refused, progress("read the catalogue", total) as advance:
        reader = TableReader(refused, advance, source.refused_share_max, source.rows_max)
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
        with reader.open(file, source.layout) as table:
            if not table.header.columns:
                continue
            filters = (*source.only, *source.hidden)
            mapping = map_catalogue(table.header, source.columns, filters)
            row_filter = CatalogueRowFilter(mapping, source, times)
            for block in table.blocks(mapping.columns(), mapping.id_columns()):
                parts.append(row_filter.items(block, table.accounting))
    if not any(part.ids for part in parts):
        shown = ", ".join(file.shown for file in files)
        left_out = Counter[str]()
        for report in reader.reports:
            left_out.update(report.left_out)
        why = f" ({left_out.total():,} rows left out)" if left_out else ""
        raise DataError(f"{shown}: no items{why}; export the catalogue again")
    whole = concatenate(parts)
    if "category" in whole.texts:
        cells, separators = (
            whole.texts["category"],
            (source.category_separator, source.level_separator),
        )
        whole = dataclasses.replace(
            whole, texts=dict(whole.texts) | {"category": category_paths(cells, *separators)}
        )
    items = with_families(merged(whole, last=source.repeated == "last"))
    return dataclasses.replace(items, repeated=len(whole.ids) - len(items.ids))


def _read_interactions(
    source: InteractionSource,
    file: InputFile,
    table: OpenTable,
    log: InteractionLog,
    names: tuple[Mapping[str, int], Mapping[str, str] | None],
) -> None:
    """Read a file; `names` are the codes of kinds, and ids of the catalogue by their folded case.

    Without a catalogue (None), titles are read as well.
    """
    kinds, known = names
    if not table.header.columns:
        return
    times = TimeParser(source.time_zone, source.time_format)
    mapping = map_interactions(table.header, source, file.setting, known is None)
    row_filter = InteractionRowFilter(
        source, mapping, times, kinds, log.users, known or {}, log.taken_back
    )
    for block in table.blocks(mapping.columns(), mapping.id_columns()):
        log.add(row_filter.kept_rows(block, table.accounting))
