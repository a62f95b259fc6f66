"""Screening: which rows of a block of interactions are kept, and what those say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.readers.blocks import Block
from recommender.readers.columns import EventNames
from recommender.readers.row_accounting import Ledger, Verdicts
from recommender.readers.sources import InteractionSource
from recommender.readers.users import Users
from recommender.readers.values import Clock, Distinct, id_faults, numbers

MAX_KIND = 40


@dataclass(frozen=True, slots=True)
class Kept:
    """The k rows of a block that are kept; None for a column that the file lacks.

    `kind` (k,) holds codes, `time` (k,) epoch seconds.
    """

    item: Distinct
    basket: Distinct | None
    session: Distinct | None
    user: Distinct | None
    title: Distinct | None
    kind: NDArray[np.int8]
    time: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Screen:
    """What a source keeps of a file; `kinds` are the codes of all kinds.

    A row falls for the first reason of: forgotten user, cancelled, item id, item pattern,
    kind, quantity, price, time.
    """

    source: InteractionSource
    names: EventNames
    clock: Clock
    kinds: Mapping[str, int]
    users: Users

    def kept(self, block: Block, ledger: Ledger) -> Kept:
        """Judge the rows of a block, enter them into the ledger and return those that are kept."""
        verdicts = Verdicts(block.lines, ledger)
        self._judge_users(block, verdicts)
        self._judge_cancelled(block, verdicts)
        self._judge_items(block, verdicts)
        kind = self._judged_kinds(block, verdicts)
        self._judge_measure("quantity", self.source.quantity_above, block, verdicts)
        self._judge_measure("price", self.source.price_above, block, verdicts)
        time = self._judged_times(block, verdicts)
        rows = verdicts.kept()
        names = self.names
        return Kept(
            item=Distinct.of_many(block.cells[names.item][rows]),
            basket=_taken(block, names.basket, rows),
            session=_taken(block, names.session, rows),
            user=_taken(block, names.user, rows),
            title=_taken(block, names.title, rows),
            kind=kind[rows],
            time=time[rows],
        )

    def _judge_users(self, block: Block, verdicts: Verdicts) -> None:
        if not self.names.user:
            return
        cells = Distinct.of_many(block.cells[self.names.user])
        forgotten = self.users.forgotten(cells.texts)
        verdicts.leave_out(cells, ["user is forgotten" if gone else "" for gone in forgotten])

    def _judge_cancelled(self, block: Block, verdicts: Verdicts) -> None:
        if self.source.cancelled is None:
            return
        pattern = re.compile(self.source.cancelled.pattern)
        cells = Distinct.of_many(block.cells[self.names.cancelled])
        verdicts.leave_out(
            cells, ["cancelled" if pattern.match(text) else "" for text in cells.texts]
        )

    def _judge_items(self, block: Block, verdicts: Verdicts) -> None:
        cells = Distinct.of_many(block.cells[self.names.item])
        verdicts.refuse(self.names.item, cells, id_faults(cells.texts, "item id"))
        if self.source.item_pattern:
            pattern = re.compile(self.source.item_pattern)
            reason = "item id does not match item_pattern"
            verdicts.leave_out(
                cells, ["" if pattern.match(text) else reason for text in cells.texts]
            )

    def _judged_kinds(self, block: Block, verdicts: Verdicts) -> NDArray[np.int8]:
        if not self.names.kind:
            return np.full(len(block.lines), self.kinds[self.source.kind], dtype=np.int8)
        cells = Distinct.of_many(block.cells[self.names.kind])
        weights = self.source.weights
        verdicts.leave_out(
            cells,
            [
                "" if kind in weights else f"kind {_shown(kind)} has no weight"
                for kind in cells.texts
            ],
        )
        codes = [self.kinds.get(kind, 0) for kind in cells.texts]
        return np.array(codes, dtype=np.int8)[cells.codes]

    def _judge_measure(
        self, what: str, threshold: float | None, block: Block, verdicts: Verdicts
    ) -> None:
        column = getattr(self.names, what)
        if not column:
            return
        cells = Distinct.of_many(block.cells[column])
        values, faults = numbers(cells.texts, what)
        verdicts.refuse(column, cells, faults)
        if threshold is not None:
            reason = f"{what} not above {threshold:g}"
            verdicts.leave_out(cells, [reason if low else "" for low in values <= threshold])

    def _judged_times(self, block: Block, verdicts: Verdicts) -> NDArray[np.int64]:
        if not self.names.time:
            return np.zeros(len(block.lines), dtype=np.int64)
        cells = Distinct.of_many(block.cells[self.names.time])
        seconds, faults = self.clock.seconds(cells.texts, "time")
        verdicts.refuse(self.names.time, cells, faults)
        return seconds[cells.codes]


def _taken(block: Block, name: str, rows: NDArray[np.intp]) -> Distinct | None:
    return Distinct.of_many(block.cells[name][rows]) if name else None


def _shown(kind: str) -> str:
    return kind[:MAX_KIND] if kind.isprintable() and kind else ascii(kind[:MAX_KIND])
