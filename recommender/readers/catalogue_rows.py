"""Catalogue rows: which rows of a catalogue are kept, and what they say of their items."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import MAX_CHARACTERS, PATH_SEPARATOR
from recommender.readers.blocks import Block
from recommender.readers.catalogue import UNKNOWN, Items, unknown_numbers
from recommender.readers.columns import LINKS, CatalogueMapping, spaced
from recommender.readers.links import currencies, links
from recommender.readers.row_accounting import RowAccounting
from recommender.readers.row_selection import RowSelection
from recommender.readers.sources import CatalogueSource, Match
from recommender.readers.times import TimeParser
from recommender.readers.usual_words import DELETED, FOR_SALE, PUBLISHED_AT
from recommender.readers.values import (
    Categorical,
    Faults,
    clean_texts,
    id_faults,
    numbers,
    truth_values,
)

CONTINUED = "no item id: a further row of its group"
ONLINE = {"product_online": ("2",)}
"""Columns of which further words mean not for sale: Magento's 2 is disabled."""

NO_GROUP = ("0", "0.0", "-1", "-", "--")
"""Values of a group that name none, as the parent of products without one."""

Parse = Callable[[Sequence[str], str], tuple[NDArray[Any], Faults]]


@dataclass(frozen=True, slots=True)
class CatalogueRowFilter:
    """Leaves out and refuses rows of a catalogue file; an optional value is unknown where empty.

    A value that cannot be read is unknown too, and noted. A row without an item id, but with a
    group and no title, is one more row of a product, such as for an image.
    """

    mapping: CatalogueMapping
    source: CatalogueSource
    times: TimeParser

    def items(self, block: Block, accounting: RowAccounting) -> Items:
        """Account for the rows of a block, and return the items of those that are kept."""
        selection = RowSelection(block.lines, accounting)
        selection.drop_headers(block, self.mapping.columns())
        for match, column in self._matches(self.source.only):
            cells = Categorical.of(block.cells[column])
            pattern = re.compile(match.pattern)
            reason = f"{column} is not one of catalogue.only"
            selection.leave_out(cells, ["" if pattern.match(t) else reason for t in cells.texts])
        group = self._groups(block, selection)
        ids = self._ids(block, selection, group)
        columns = unknown_numbers(len(block.lines)) | self._parse_numbers(block, selection)
        columns["hidden"] = self._hidden(block, selection)
        linked = {
            name: self._links(block, name, parts, selection)
            for name, parts in self.mapping.texts.items()
            if name in LINKS
        }
        rows = selection.keep()
        texts = {"group": [group[row] for row in rows]}
        if self.mapping.variants:
            texts["variants"] = block.cells[self.mapping.variants][rows].tolist()
        for name, parts in self.mapping.texts.items():
            if name in LINKS:
                texts[name] = [linked[name][row] for row in rows]
                continue
            texts[name], cut = self._joined_texts(block, name, parts, rows)
            columns["cut"][rows] |= cut
        return Items(
            ids=tuple(ids.texts[code] for code in ids.codes[rows]),
            texts=texts,
            numbers={name: column[rows] for name, column in columns.items()},
        )

    def _ids(self, block: Block, selection: RowSelection, group: Sequence[str]) -> Categorical:
        cells = Categorical.of(block.cells[self.mapping.item])
        named = np.array([bool(text) for text in group], dtype=bool)
        for column in self.mapping.texts.get("title", ()):
            named &= np.array([not text.strip() for text in block.cells[column].tolist()])
        selection.drop(cells.where([not text for text in cells.texts]) & named, CONTINUED)
        repaired, changes = self.source.ids.repaired(cells.texts, {})
        ids = Categorical(cells.codes, repaired)
        selection.refuse(self.mapping.item, ids, id_faults(repaired, "item id"))
        selection.note(self.mapping.item, cells, changes, show=True)
        return ids

    def _groups(self, block: Block, selection: RowSelection) -> list[str]:
        """The group of each row (b,): the first known value of the columns."""
        group = [""] * len(block.lines)
        for column in self.mapping.group:
            cells = Categorical.of(block.cells[column]).unless((*self.source.nulls, *NO_GROUP))
            texts, _ = self.source.ids.repaired(cells.texts, {})
            faults = _unknown(texts, id_faults(texts, "group"))
            selection.note(column, cells, faults, show=True)
            known = ["" if fault else text for text, fault in zip(texts, faults, strict=True)]
            group = [
                earlier or known[code] for earlier, code in zip(group, cells.codes, strict=True)
            ]
        return group

    def _links(
        self, block: Block, name: str, parts: Sequence[str], selection: RowSelection
    ) -> list[str]:
        """The URL, picture or currency of each row (b,): the first known value of the columns."""
        found = [""] * len(block.lines)
        for column in parts:
            cells = Categorical.of(block.cells[column]).unless(self.source.nulls)
            known, faults = (currencies if name == "currency" else links)(cells.texts, name)
            selection.note(column, cells, _unknown(cells.texts, faults), show=name == "currency")
            found = [own or known[code] for own, code in zip(found, cells.codes, strict=True)]
        return found

    def _matches(self, filters: Sequence[Match]) -> list[tuple[Match, str]]:
        """Filters with the column of each; those whose column the file lacks are left out."""
        every = (*self.source.only, *self.source.hidden)
        columns = dict(zip(every, self.mapping.matched, strict=True))
        return [(match, columns[match]) for match in filters if columns[match]]

    def _parse_numbers(self, block: Block, selection: RowSelection) -> dict[str, NDArray[Any]]:
        source = self.source
        parses: dict[str, Parse] = {
            "price": lambda texts, what: numbers(texts, what, source.decimal),
            "in_stock": lambda texts, what: truth_values(texts, what, source.stock_words),
            "available_from": self.times.seconds,
        }
        columns: dict[str, NDArray[Any]] = {}
        for what, parse in parses.items():
            column = getattr(self.mapping, what)
            if column:
                cells = Categorical.of(block.cells[column]).unless(source.nulls)
                values, faults = parse(cells.texts, what)
                if what == "in_stock":
                    lacking = [
                        not text or bool(f) for text, f in zip(cells.texts, faults, strict=True)
                    ]
                    values = np.where(lacking, UNKNOWN, values).astype(np.int8)
                selection.note(column, cells, _unknown(cells.texts, faults), show=True)
                columns[what] = values[cells.codes]
        return columns

    def _hidden(self, block: Block, selection: RowSelection) -> NDArray[np.int8]:
        """Whether each row (b,) hides its item (1) or not (0); -1 where it says nothing of it."""
        hidden = np.full(len(block.lines), UNKNOWN, dtype=np.int8)
        for column in self.mapping.status:
            words = {
                word.casefold() for word in (*self.source.not_for_sale, *ONLINE.get(column, ()))
            }
            cells = Categorical.of(block.cells[column]).unless(self.source.nulls)
            if spaced(column) in DELETED:
                verdicts = [_deleted(text) for text in cells.texts]
            elif spaced(column) in PUBLISHED_AT:
                verdicts = [int(not text) for text in cells.texts]
            else:
                verdicts = [_verdict(text.casefold(), words) for text in cells.texts]
                notes = [
                    "" if v else _unknown_word(column, t)
                    for v, t in zip(verdicts, cells.texts, strict=True)
                ]
                selection.note(column, cells, notes, show=True)
            hidden = np.maximum(hidden, np.array(verdicts, dtype=np.int8)[cells.codes])
        for match, column in self._matches(self.source.hidden):
            cells = Categorical.of(block.cells[column])
            matched = [re.match(match.pattern, text) is not None for text in cells.texts]
            hidden[cells.where(matched)] = 1
        return hidden

    def _joined_texts(
        self, block: Block, name: str, parts: Sequence[str], rows: NDArray[np.intp]
    ) -> tuple[list[str], NDArray[np.bool_]]:
        """The clean texts of columns, joined row by row, and a mask of those that were cut."""
        cut = np.zeros(len(rows), dtype=bool)
        columns = []
        for part in parts:
            cells = Categorical.of(block.cells[part][rows]).unless(self.source.nulls)
            texts, marks = clean_texts(cells.texts, paragraphs=name in {"description", "category"})
            cut |= marks[cells.codes]
            columns.append([texts[code] for code in cells.codes])
        if len(columns) == 1:
            return columns[0], cut
        separator = PATH_SEPARATOR if name == "category" else " "
        whole = [separator.join(filter(None, parts)) for parts in zip(*columns, strict=True)]
        cut |= np.array([len(text) > MAX_CHARACTERS for text in whole], dtype=bool)
        return [text[:MAX_CHARACTERS].strip() for text in whole], cut


def _verdict(text: str, words: set[str]) -> int:
    if not text:
        return UNKNOWN
    values, faults = truth_values([text], "")
    return int(text in words or not (faults[0] or values[0]))


def _unknown_word(column: str, text: str) -> str:
    """What to note of a status that is no usual word for what is for sale."""
    word = text.casefold()
    plain = word in FOR_SALE or word in {"1", "1.0"} or word.endswith("search")
    if plain or (not word.isdigit() and not truth_values([word], "")[1][0]):
        return ""
    return f"{column} is not a known word: for sale, unless catalogue.not_for_sale has it"


def _deleted(text: str) -> int:
    if not text:
        return UNKNOWN
    values, faults = truth_values([text], "")
    return int(values[0] or (bool(faults[0]) and any(digit in text for digit in "123456789")))


def _unknown(texts: Sequence[str], faults: Faults) -> Faults:
    """What to note of values that are unknown because they cannot be read."""
    return [
        f"{fault}: unknown" if text and fault else ""
        for text, fault in zip(texts, faults, strict=True)
    ]
