"""Catalogue: product files -> items."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import PATH_SEPARATOR
from recommender.core.documents import MAX_CHARACTERS
from recommender.errors import DataError
from recommender.readers.blocks import Block
from recommender.readers.files import InputFile
from recommender.readers.item_columns import ItemNames, item_names
from recommender.readers.items import Items, joined, unknown_numbers
from recommender.readers.row_accounting import Ledger, Verdicts
from recommender.readers.sources import CatalogueSource
from recommender.readers.tables import Intake
from recommender.readers.texts import cleaned
from recommender.readers.values import Clock, Distinct, Faults, flags, id_faults, numbers

Parse = Callable[[Sequence[str], str], tuple[NDArray[Any], Faults]]


def read_items(source: CatalogueSource, files: Sequence[InputFile], intake: Intake) -> Items:
    """Read all catalogue files; an id that stands in several rows does so here.

    Raises: ConfigError or DataError naming the file, DataError where no row is kept.
    """
    clock = Clock(source.time_zone, source.time_format)
    parts: list[Items] = []
    for file in files:
        with intake.opened(file, source.delimiter, source.encoding) as opened:
            if not opened.header.columns:
                continue
            names = item_names(opened.header, source.columns)
            screen = ItemScreen(names, clock)
            for block in opened.blocks(names.wanted(), names.ids()):
                parts.append(screen.kept(block, opened.ledger))
    if not any(part.ids for part in parts):
        shown = ", ".join(file.shown for file in files)
        raise DataError(f"{shown}: no items; deliver the catalogue again")
    return joined(parts)


@dataclass(frozen=True, slots=True)
class ItemScreen:
    """What is kept of a catalogue file, and what it says; an empty value is an unknown one."""

    names: ItemNames
    clock: Clock

    def kept(self, block: Block, ledger: Ledger) -> Items:
        """Judge the rows of a block, enter them into the ledger and return those that are kept."""
        verdicts = Verdicts(block.lines, ledger)
        ids = Distinct.of(block.cells[self.names.item])
        verdicts.refuse(self.names.item, ids, id_faults(ids.texts, "item id"))
        group = self._judged_groups(block, verdicts)
        columns = unknown_numbers(len(block.lines)) | self._judged_numbers(block, verdicts)
        rows = verdicts.kept()
        texts = {"group": [group[row] for row in rows]}
        for name, parts in self.names.texts.items():
            texts[name], cut = _text(block, parts, _SEPARATORS.get(name, " "), rows)
            columns["cut"][rows] |= cut
        return Items(
            ids=tuple(ids.texts[code] for code in ids.codes[rows]),
            texts=texts,
            numbers={name: column[rows] for name, column in columns.items()},
        )

    def _judged_groups(self, block: Block, verdicts: Verdicts) -> list[str]:
        if not self.names.group:
            return [""] * len(block.lines)
        cells = Distinct.of(block.cells[self.names.group])
        faults = _of_texts(cells.texts, id_faults(cells.texts, "group"))
        verdicts.refuse(self.names.group, cells, faults)
        return [cells.texts[code] for code in cells.codes]

    def _judged_numbers(self, block: Block, verdicts: Verdicts) -> dict[str, NDArray[Any]]:
        parses: dict[str, Parse] = {
            "price": numbers,
            "in_stock": flags,
            "available_from": self.clock.seconds,
        }
        columns: dict[str, NDArray[Any]] = {}
        for what, parse in parses.items():
            column = getattr(self.names, what)
            if column:
                cells = Distinct.of(block.cells[column])
                values, faults = parse(cells.texts, what)
                verdicts.refuse(column, cells, _of_texts(cells.texts, faults))
                columns[what] = values[cells.codes]
        return columns


_SEPARATORS = {"category": PATH_SEPARATOR}


def _of_texts(texts: Sequence[str], faults: Faults) -> Faults:
    return [fault if text else "" for text, fault in zip(texts, faults, strict=True)]


def _text(
    block: Block, names: Sequence[str], separator: str, rows: NDArray[np.intp]
) -> tuple[list[str], NDArray[np.bool_]]:
    cut = np.zeros(len(rows), dtype=bool)
    columns = []
    for name in names:
        cells = Distinct.of(block.cells[name][rows])
        texts, marks = cleaned(cells.texts)
        cut |= marks[cells.codes]
        columns.append([texts[code] for code in cells.codes])
    if len(columns) == 1:
        return columns[0], cut
    whole = [separator.join(filter(None, parts)) for parts in zip(*columns, strict=True)]
    cut |= np.array([len(text) > MAX_CHARACTERS for text in whole], dtype=bool)
    return [text[:MAX_CHARACTERS].strip() for text in whole], cut
