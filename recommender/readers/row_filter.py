"""Row filter: which rows of a block are kept, and their parsed values."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import MAX_CHARACTERS, PATH_SEPARATOR
from recommender.readers.catalogue import Items, unknown_numbers
from recommender.readers.columns import CatalogueMapping, InteractionMapping
from recommender.readers.interactions import HashedUsers, KeptRows
from recommender.readers.row_accounting import RowAccounting, RowSelection
from recommender.readers.sources import InteractionSource
from recommender.readers.tables import Block
from recommender.readers.values import (
    Categorical,
    Faults,
    TimeParser,
    clean_texts,
    id_faults,
    numbers,
    truth_values,
)

MAX_KIND = 40

Parse = Callable[[Sequence[str], str], tuple[NDArray[Any], Faults]]


@dataclass(frozen=True, slots=True)
class CatalogueRowFilter:
    """Refuses the malformed rows of a catalogue file; an empty optional value is unknown."""

    mapping: CatalogueMapping
    times: TimeParser

    def items(self, block: Block, accounting: RowAccounting) -> Items:
        """Account for the rows of a block, and return the items of those that are kept."""
        selection = RowSelection(block.lines, accounting)
        ids = Categorical.of(block.cells[self.mapping.item])
        selection.refuse(self.mapping.item, ids, id_faults(ids.texts, "item id"))
        group = self._check_groups(block, selection)
        columns = unknown_numbers(len(block.lines)) | self._parse_numbers(block, selection)
        rows = selection.keep()
        texts = {"group": [group[row] for row in rows]}
        for name, parts in self.mapping.texts.items():
            separator = PATH_SEPARATOR if name == "category" else " "
            texts[name], cut = _joined_texts(block, parts, separator, rows)
            columns["cut"][rows] |= cut
        return Items(
            ids=tuple(ids.texts[code] for code in ids.codes[rows]),
            texts=texts,
            numbers={name: column[rows] for name, column in columns.items()},
        )

    def _check_groups(self, block: Block, selection: RowSelection) -> list[str]:
        if not self.mapping.group:
            return [""] * len(block.lines)
        cells = Categorical.of(block.cells[self.mapping.group])
        faults = _unless_empty(cells.texts, id_faults(cells.texts, "group"))
        selection.refuse(self.mapping.group, cells, faults)
        return [cells.texts[code] for code in cells.codes]

    def _parse_numbers(self, block: Block, selection: RowSelection) -> dict[str, NDArray[Any]]:
        parses: dict[str, Parse] = {
            "price": numbers,
            "in_stock": truth_values,
            "available_from": self.times.seconds,
        }
        columns: dict[str, NDArray[Any]] = {}
        for what, parse in parses.items():
            column = getattr(self.mapping, what)
            if column:
                cells = Categorical.of(block.cells[column])
                values, faults = parse(cells.texts, what)
                selection.refuse(column, cells, _unless_empty(cells.texts, faults))
                columns[what] = values[cells.codes]
        return columns


@dataclass(frozen=True, slots=True)
class InteractionRowFilter:
    """Applies the settings of a source to the rows of a file; `kinds` are the codes of all kinds.

    A row is dropped for the first reason of: forgotten user, cancelled, item id, item pattern,
    kind, quantity, price, time.
    """

    source: InteractionSource
    mapping: InteractionMapping
    times: TimeParser
    kinds: Mapping[str, int]
    users: HashedUsers

    def kept_rows(self, block: Block, accounting: RowAccounting) -> KeptRows:
        """Account for the rows of a block, and return those that are kept."""
        selection = RowSelection(block.lines, accounting)
        self._drop_forgotten_users(block, selection)
        self._drop_cancelled(block, selection)
        self._drop_items(block, selection)
        kind = self._parse_kinds(block, selection)
        self._drop_below("quantity", self.source.quantity_above, block, selection)
        self._drop_below("price", self.source.price_above, block, selection)
        time = self._parse_times(block, selection)
        rows = selection.keep()
        mapping = self.mapping
        return KeptRows(
            item=Categorical.of_many(block.cells[mapping.item][rows]),
            basket=_taken(block, mapping.basket, rows),
            session=_taken(block, mapping.session, rows),
            user=_taken(block, mapping.user, rows),
            title=_taken(block, mapping.title, rows),
            kind=kind[rows],
            time=time[rows],
        )

    def _drop_forgotten_users(self, block: Block, selection: RowSelection) -> None:
        if not self.mapping.user:
            return
        cells = Categorical.of_many(block.cells[self.mapping.user])
        forgotten = self.users.are_forgotten(cells.texts)
        selection.leave_out(cells, ["user is forgotten" if gone else "" for gone in forgotten])

    def _drop_cancelled(self, block: Block, selection: RowSelection) -> None:
        if self.source.cancelled is None:
            return
        pattern = re.compile(self.source.cancelled.pattern)
        cells = Categorical.of_many(block.cells[self.mapping.cancelled])
        selection.leave_out(
            cells, ["cancelled" if pattern.match(text) else "" for text in cells.texts]
        )

    def _drop_items(self, block: Block, selection: RowSelection) -> None:
        cells = Categorical.of_many(block.cells[self.mapping.item])
        selection.refuse(self.mapping.item, cells, id_faults(cells.texts, "item id"))
        if self.source.item_pattern:
            pattern = re.compile(self.source.item_pattern)
            reason = "item id does not match item_pattern"
            selection.leave_out(
                cells, ["" if pattern.match(text) else reason for text in cells.texts]
            )

    def _parse_kinds(self, block: Block, selection: RowSelection) -> NDArray[np.int8]:
        if not self.mapping.kind:
            return np.full(len(block.lines), self.kinds[self.source.kind], dtype=np.int8)
        cells = Categorical.of_many(block.cells[self.mapping.kind])
        weights = self.source.weights
        selection.leave_out(
            cells,
            [
                "" if kind in weights else f"kind {_printable(kind)} has no weight"
                for kind in cells.texts
            ],
        )
        codes = [self.kinds.get(kind, 0) for kind in cells.texts]
        return np.array(codes, dtype=np.int8)[cells.codes]

    def _drop_below(
        self, what: str, threshold: float | None, block: Block, selection: RowSelection
    ) -> None:
        column = getattr(self.mapping, what)
        if not column:
            return
        cells = Categorical.of_many(block.cells[column])
        values, faults = numbers(cells.texts, what)
        selection.refuse(column, cells, faults)
        if threshold is not None:
            reason = f"{what} not above {threshold:g}"
            selection.leave_out(cells, [reason if low else "" for low in values <= threshold])

    def _parse_times(self, block: Block, selection: RowSelection) -> NDArray[np.int64]:
        if not self.mapping.time:
            return np.zeros(len(block.lines), dtype=np.int64)
        cells = Categorical.of_many(block.cells[self.mapping.time])
        seconds, faults = self.times.seconds(cells.texts, "time")
        selection.refuse(self.mapping.time, cells, faults)
        return seconds[cells.codes]


def _unless_empty(texts: Sequence[str], faults: Faults) -> Faults:
    return [fault if text else "" for text, fault in zip(texts, faults, strict=True)]


def _joined_texts(
    block: Block, names: Sequence[str], separator: str, rows: NDArray[np.intp]
) -> tuple[list[str], NDArray[np.bool_]]:
    """The clean texts of columns, joined row by row, and a mask of those that were cut."""
    cut = np.zeros(len(rows), dtype=bool)
    columns = []
    for name in names:
        cells = Categorical.of(block.cells[name][rows])
        texts, marks = clean_texts(cells.texts)
        cut |= marks[cells.codes]
        columns.append([texts[code] for code in cells.codes])
    if len(columns) == 1:
        return columns[0], cut
    whole = [separator.join(filter(None, parts)) for parts in zip(*columns, strict=True)]
    cut |= np.array([len(text) > MAX_CHARACTERS for text in whole], dtype=bool)
    return [text[:MAX_CHARACTERS].strip() for text in whole], cut


def _taken(block: Block, name: str, rows: NDArray[np.intp]) -> Categorical | None:
    return Categorical.of_many(block.cells[name][rows]) if name else None


def _printable(kind: str) -> str:
    return kind[:MAX_KIND] if kind.isprintable() and kind else ascii(kind[:MAX_KIND])
