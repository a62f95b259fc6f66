"""External lists: the lists of another system, from a file, or those of a published build."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.artifacts.store import Artifact
from recommender.build.contents import (
    lists_and_own,
    placements,
    read_catalogue,
    read_interactions,
    related_lists,
)
from recommender.build.job import Job
from recommender.core.ids import ItemIds
from recommender.core.lists import ranks_of
from recommender.core.neighbours import Neighbours
from recommender.core.related import EVIDENCE
from recommender.errors import ConfigError, DataError

_ITEM, _RELATED = ("item", "item_id"), ("related", "related_id", "related_item")
_ORDER = ("score", "rank")


@dataclass(frozen=True, slots=True)
class ExternalLists:
    """The lists of another system, or of an earlier build, as entries by item id.

    `related` (e,) is shown to `item` (e,) with `score` (e,), larger scores first. `newest` is the
    time of the newest event that the lists were learned from (epoch seconds), 0 where unknown.

    Raises: DataError where columns differ in length or a score is not above 0.
    """

    name: str
    item: Sequence[str]
    related: Sequence[str]
    score: NDArray[np.float32]
    newest: int = 0

    def __post_init__(self) -> None:
        if not len(self.item) == len(self.related) == len(self.score):
            raise DataError(f"lists {self.name}: columns differ in length")
        if not (np.isfinite(self.score) & (self.score > 0)).all():
            raise DataError(f"lists {self.name}: a score that is not a number above 0")

    def aligned(self, ids: ItemIds, depth: int) -> tuple[Neighbours, tuple[str, ...]]:
        """The lists (n, depth) by the rows of `ids`, and notes on the entries left out.

        Entries with unknown items and items in their own lists are left out. Where an item is in
        a list twice, the better entry counts.
        """
        asking, shown = ids.rows(self.item), ids.rows(self.related)
        known = (asking >= 0) & (shown >= 0)
        own = known & (asking == shown)
        kept = known & ~own
        pairs = asking[kept].astype(np.int64) * len(ids) + shown[kept]
        order = np.lexsort((-self.score[kept], pairs))
        distinct, first = np.unique(pairs[order], return_index=True)
        entries = (self.score[kept][order][first], np.divmod(distinct, max(len(ids), 1)))
        lists = Neighbours.of_sparse(sp.csr_array(entries, shape=(len(ids), len(ids))), depth)
        left_out = {
            "with an unknown item": int((~known).sum()),
            "of an item in its own list": int(own.sum()),
            "twice in a list": int(kept.sum()) - len(distinct),
        }
        notes = [f"{count:,} entries {what}" for what, count in left_out.items() if count]
        empty = int((~lists.found[:, 0]).sum())
        if empty:
            notes.append(f"{empty:,} of {len(ids):,} items without a list")
        return lists, (f"{self.name}: {'; '.join(notes)}",) if notes else ()


def published_lists(job: Job, build: Artifact, name: str, placement: str = "") -> ExternalLists:
    """The lists of a published build in a placement, by default its first, without filler.

    Raises: ArtifactError where they are no longer there; ConfigError where the build has no such
    placement.
    """
    ids = np.array(read_catalogue(job.artifacts, build).ids.ids, dtype=object)
    there = placements(build)
    if placement and placement not in there:
        raise ConfigError(f"placement {placement!r}: {name} has {', '.join(there)}")
    lists, own = lists_and_own(job.artifacts, build, placement or there[0])
    return ExternalLists(
        name=name,
        item=ids[lists.owners[own]].tolist(),
        related=ids[lists.entries.rows[own]].tolist(),
        score=np.asarray(lists.entries.scores[own]),
        newest=read_interactions(job.artifacts, build).newest,
    )


def entries_table(job: Job, build: Artifact) -> pa.Table:
    """All entries of a published build: placement, item, rank (from 1), related, score, evidence.

    Best sellers that fill a list up are among them; their evidence is `popular`. `title` is that of
    the related item.

    Raises: ArtifactError where the lists are no longer there.
    """
    catalogue = read_catalogue(job.artifacts, build)
    ids, titles = (np.array(texts, dtype=object) for texts in (catalogue.ids.ids, catalogue.title))
    evidence = np.array(EVIDENCE, dtype=object)
    tables = []
    for lists in related_lists(job.artifacts, build):
        entries = lists.entries
        columns = {
            "placement": np.full(len(entries), lists.placement, dtype=object),
            "item": ids[lists.owners],
            "rank": ranks_of(lists.sizes) + 1,
            "related": ids[entries.rows],
            "score": entries.scores,
            "evidence": evidence[entries.evidence],
            "title": titles[entries.rows],
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def read_entries(path: Path) -> tuple[list[str], list[str], NDArray[np.float32]]:
    """Read a table of list entries: items, related items and scores (e,), larger for the first.

    The columns are `item`, `related`, and `score` or `rank`; a rank r, from 1, is read as the
    score 1 / r. The file is Parquet where its name ends so, and CSV with a header otherwise.

    Raises: ConfigError where the file does not exist; DataError where it is not such a table.
    """
    if not path.is_file():
        raise ConfigError(f"lists {path}: no such file")
    columns = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    item, related, order = (_find(path, columns, names) for names in (_ITEM, _RELATED, _ORDER))
    try:
        scores = np.array(columns[order], dtype=np.float64)
    except ValueError as error:
        raise DataError(f"{path}, column {order}: {error}") from error
    if order == "rank":
        if (scores < 1).any():
            raise DataError(f"{path}: a rank below 1; the first entry has rank 1")
        scores = 1 / scores
    return columns[item], columns[related], scores.astype(np.float32)


def _read_csv(path: Path) -> dict[str, list[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error
    if len(rows) < 2:
        raise DataError(f"{path}: no entries; a header and rows are needed")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise DataError(f"{path}, row {number}: {len(row)} fields, {width} expected")
    return dict(zip(rows[0], map(list, zip(*rows[1:], strict=True)), strict=True))


def _read_parquet(path: Path) -> dict[str, list[str]]:
    try:
        table = pq.read_table(path)
        return {
            name: column.cast(pa.string()).fill_null("").to_pylist()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file of plain columns: {error}") from error


def _find(path: Path, columns: Mapping[str, list[str]], names: tuple[str, ...]) -> str:
    for name in names:
        if name in columns:
            return name
    raise DataError(f"{path}: no column {' or '.join(names)}; it has {', '.join(columns)}")
