"""Row filter: which rows of interactions are kept, and their parsed values."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.readers.blocks import Block
from recommender.readers.columns import InteractionMapping
from recommender.readers.id_repairs import SPLIT
from recommender.readers.interactions import HashedUsers, KeptRows
from recommender.readers.orders import Returned, TakenBack
from recommender.readers.row_accounting import RefusedRow, RowAccounting
from recommender.readers.row_selection import RowSelection
from recommender.readers.sources import InteractionSource
from recommender.readers.times import TimeParser
from recommender.readers.values import Categorical, Faults, id_faults, numbers

MAX_KIND = 40
GUEST = "user is a guest"
RETURNED = "quantity below 0: returned"
REFUNDED = "kind of a refund"
PLACEHOLDER = "time is a placeholder: unknown"
GIVEN_BACK = "all of it was returned"
WITHOUT_WEIGHT = " has no weight"

Measured = tuple[Categorical, NDArray[np.float64], Faults]


@dataclass(frozen=True, slots=True)
class InteractionRowFilter:
    """Applies the settings of a source to the rows of a file; `kinds` are the codes of all kinds.

    `known` are the ids of the catalogue by their folded case. What rows cancel or return is added
    to `taken_back`.

    A row is dropped for the first reason of: forgotten user, cancelled, refund, item id, item
    pattern, kind, quantity, price, time.
    """

    source: InteractionSource
    mapping: InteractionMapping
    times: TimeParser
    kinds: Mapping[str, int]
    users: HashedUsers
    known: Mapping[str, str]
    taken_back: TakenBack

    def kept_rows(self, block: Block, accounting: RowAccounting) -> KeptRows:
        """Account for the rows of a block, and return those that are kept."""
        if self.source.ids.split:
            block, several = block.split(self.mapping.item, self.source.ids.split)
            if several:
                accounting.note(RefusedRow(int(block.lines[0]), SPLIT, self.mapping.item), several)
        selection = RowSelection(block.lines, accounting)
        selection.drop_headers(block, self.mapping.columns())
        self._drop_forgotten_users(block, selection)
        self._drop_cancelled(block, selection)
        cells = block.categorical(self.mapping.item)
        texts, changes = self.source.ids.repaired(cells.texts, self.known)
        item = Categorical(cells.codes, texts)
        times, faults = self._parsed_times(block)
        quantities = self._measured(block, "quantity")
        quantity = self._quantities(quantities, selection, len(block.lines))
        given_back = self._measured(block, "returned")
        if given_back is not None:
            back = np.nan_to_num(np.abs(given_back[1]))[given_back[0].codes]
            selection.drop((quantity > 0) & (back >= quantity), GIVEN_BACK)
            quantity = np.where(quantity > 0, quantity - back, quantity).astype(np.float32)
        self._drop_refunds(block, item, quantity, times, selection)
        self._drop_items(cells, item, changes, selection)
        kind = self._parse_kinds(block, selection)
        self._drop_returns(block, item, quantity, times, selection)
        self._drop_below("quantity", quantities, selection)
        self._drop_below("price", self._measured(block, "price"), selection)
        if faults is not None:
            selection.refuse(self.mapping.time, *faults)
            selection.note(
                self.mapping.time, faults[0], self._placeholders(faults, times), show=True
            )
        rows = selection.keep()
        unknown = self.source.nulls
        return KeptRows(
            item=item.take(rows),
            basket=self._taken(block, self.mapping.basket, rows, unknown),
            session=self._taken(block, self.mapping.session, rows, unknown),
            user=self._taken(block, self.mapping.user, rows, (*unknown, *self.source.guests)),
            title=self._taken(block, self.mapping.title, rows, unknown),
            kind=kind[rows],
            time=times[rows],
            quantity=quantity[rows],
        )

    def _drop_forgotten_users(self, block: Block, selection: RowSelection) -> None:
        if not self.mapping.user:
            return
        cells = block.categorical(self.mapping.user)
        guests = frozenset((*self.source.nulls, *self.source.guests))
        if not guests.isdisjoint(cells.texts):
            notes = [GUEST if text in guests else "" for text in cells.texts]
            selection.note(self.mapping.user, cells, notes, show=False)
        forgotten = self.users.are_forgotten(cells.texts)
        if any(forgotten):
            selection.leave_out(cells, ["user is forgotten" if gone else "" for gone in forgotten])

    def _drop_cancelled(self, block: Block, selection: RowSelection) -> None:
        for mark, column in zip(self.source.cancellations, self.mapping.cancelled, strict=True):
            if not column:
                continue
            pattern = re.compile(mark.pattern)
            cells = block.categorical(column)
            marked = cells.where([bool(pattern.match(text)) for text in cells.texts])
            rows = selection.drop(marked, "cancelled")
            if mark.by == "order":
                self.taken_back.cancel(self._baskets(block, rows))

    def _drop_refunds(
        self,
        block: Block,
        item: Categorical,
        quantity: NDArray[np.float32],
        times: NDArray[np.int64],
        selection: RowSelection,
    ) -> None:
        """Drop the rows of a refund: of an item, or of the whole basket where there is none."""
        if not self.mapping.kind:
            return
        cells = block.categorical(self.mapping.kind)
        kinds = frozenset(self.source.refund_kinds) - self.source.weights.keys()
        rows = selection.drop(cells.where([text in kinds for text in cells.texts]), REFUNDED)
        blank = np.array([not item.texts[code] for code in item.codes[rows]], dtype=bool)
        self.taken_back.cancel(self._baskets(block, rows[blank]))
        self._give_back(block, item, np.abs(quantity), times, rows[~blank])

    def _drop_returns(
        self,
        block: Block,
        item: Categorical,
        quantity: NDArray[np.float32],
        times: NDArray[np.int64],
        selection: RowSelection,
    ) -> None:
        """Drop the rows of a negative quantity, unless the threshold is below 0 by intention."""
        if self.source.quantity_above is None or self.source.quantity_above >= 0:
            threshold = self.source.quantity_above
            reason = RETURNED if threshold is None else f"quantity not above {threshold:g}"
            self._give_back(block, item, -quantity, times, selection.drop(quantity < 0, reason))

    def _give_back(
        self,
        block: Block,
        item: Categorical,
        quantity: NDArray[np.float32],
        times: NDArray[np.int64],
        rows: NDArray[np.intp],
    ) -> None:
        nulls, guests = self.source.nulls, self.source.guests
        baskets = self._baskets(block, rows)
        users = self._texts(block, self.mapping.user, rows, (*nulls, *guests))
        for place, row in enumerate(rows.tolist()):
            text = item.texts[item.codes[row]]
            self.taken_back.give_back(
                Returned(text, baskets[place], users[place], float(quantity[row]), int(times[row]))
            )

    def _drop_items(
        self, cells: Categorical, item: Categorical, changes: list[str], selection: RowSelection
    ) -> None:
        selection.refuse(self.mapping.item, item, id_faults(item.texts, "item id"))
        if self.source.item_pattern:
            pattern = re.compile(self.source.item_pattern)
            reason = "item id does not match item_pattern"
            selection.leave_out(
                item, ["" if pattern.match(text) else reason for text in item.texts]
            )
        selection.note(self.mapping.item, cells, changes, show=True)

    def _parse_kinds(self, block: Block, selection: RowSelection) -> NDArray[np.int8]:
        if not self.mapping.kind:
            return np.full(len(block.lines), self.kinds[self.source.kind], dtype=np.int8)
        cells = block.categorical(self.mapping.kind)
        weights = self.source.weights
        selection.leave_out(
            cells,
            [
                "" if kind in weights else f"kind {_printable(kind)}{WITHOUT_WEIGHT}"
                for kind in cells.texts
            ],
        )
        codes = [self.kinds.get(kind, 0) for kind in cells.texts]
        return np.array(codes, dtype=np.int8)[cells.codes]

    def _measured(self, block: Block, what: str) -> Measured | None:
        """The numbers of a column; None where it is not read."""
        column = getattr(self.mapping, what)
        if not column:
            return None
        cells = block.categorical(column)
        return cells, *numbers(cells.texts, what, self.source.decimal)

    def _quantities(
        self, measured: Measured | None, selection: RowSelection, n_rows: int
    ) -> NDArray[np.float32]:
        """The quantity of each row (b,), 1 where it is unknown."""
        if measured is None:
            return np.ones(n_rows, dtype=np.float32)
        cells, values, faults = measured
        if self.source.quantity_above is None:
            unread = zip(cells.texts, faults, strict=True)
            notes = [f"{fault}: taken as 1" if text and fault else "" for text, fault in unread]
            selection.note(self.mapping.quantity, cells, notes, show=True)
        return np.where(np.isnan(values), 1, values).astype(np.float32)[cells.codes]

    def _drop_below(self, what: str, measured: Measured | None, selection: RowSelection) -> None:
        threshold = getattr(self.source, f"{what}_above")
        if measured is None or threshold is None:
            return
        cells, values, faults = measured
        selection.refuse(getattr(self.mapping, what), cells, faults)
        reason = f"{what} not above {threshold:g}"
        selection.leave_out(cells, [reason if low else "" for low in values <= threshold])

    def _parsed_times(
        self, block: Block
    ) -> tuple[NDArray[np.int64], tuple[Categorical, list[str]] | None]:
        """Epoch seconds (b,), and what is wrong with the times; None where there are none."""
        if not self.mapping.time:
            return np.zeros(len(block.lines), dtype=np.int64), None
        cells = block.categorical(self.mapping.time)
        seconds, faults = self.times.seconds(cells.texts, "time")
        return seconds[cells.codes], (cells, faults)

    @staticmethod
    def _placeholders(faults: tuple[Categorical, list[str]], times: NDArray[np.int64]) -> list[str]:
        """What to note of times such as 0000-00-00 and 1970-01-01, which are unknown."""
        cells, wrong = faults
        codes = frozenset(np.unique(cells.codes[times == 0]).tolist())
        return [
            PLACEHOLDER if code in codes and text and not wrong[code] else ""
            for code, text in enumerate(cells.texts if codes else ())
        ]

    def _baskets(self, block: Block, rows: NDArray[np.intp]) -> list[str]:
        return self._texts(block, self.mapping.basket, rows, self.source.nulls)

    @staticmethod
    def _texts(
        block: Block, name: str, rows: NDArray[np.intp], unknown: Collection[str]
    ) -> list[str]:
        """The texts of a column at rows, "" for the unknown ones and without the column."""
        if not (name and len(rows)):
            return [""] * len(rows)
        cells = block.categorical(name).unless(frozenset(unknown))
        return [cells.texts[code] for code in cells.codes[rows].tolist()]

    @staticmethod
    def _taken(
        block: Block, name: str, rows: NDArray[np.intp], unknown: Collection[str]
    ) -> Categorical | None:
        if not name:
            return None
        return block.categorical(name).take(rows).unless(frozenset(unknown))


def _printable(kind: str) -> str:
    return kind[:MAX_KIND] if kind.isprintable() and kind else ascii(kind[:MAX_KIND])
