"""Interactions: order lines and events -> compact columns, and the items that they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.interactions import DAY_S
from recommender.errors import ConfigError
from recommender.readers.checks import MAX_KINDS
from recommender.readers.event_columns import event_names
from recommender.readers.files import InputFile
from recommender.readers.numbering import Numbering
from recommender.readers.row_filter import Kept, Screen
from recommender.readers.sources import InteractionSource
from recommender.readers.tables import Intake
from recommender.readers.titles import Titles
from recommender.readers.users import Users
from recommender.readers.values import Clock, Distinct

_TYPES = {
    "item": np.int32,
    "basket": np.int32,
    "session": np.int32,
    "user": np.int32,
    "kind": np.int8,
    "time": np.int64,
}


@dataclass(frozen=True, slots=True)
class Events:
    """m kept events; `columns` are those of `Interactions`, but `item` (m,) indexes `items`.

    `items` are ids by first appearance, with the `titles` that the events give them, and whether
    a title was `cut`; `too_old` counts the events that were left out for their age.
    """

    items: tuple[str, ...]
    titles: Sequence[str]
    cut: NDArray[np.bool_]
    columns: Mapping[str, NDArray[Any]]
    users: NDArray[np.uint64]
    too_old: int = 0

    def within(self, days: int) -> "Events":
        """Those of the last `days` before the newest, or of unknown time; 0 keeps all.

        Items and users that have no event left go with their events.
        """
        time = self.columns["time"]
        if not (days and len(time)):
            return self
        young = (time == 0) | (time >= time.max() - days * DAY_S)
        columns = {name: column[young] for name, column in self.columns.items()}
        items, columns["item"] = np.unique(columns["item"], return_inverse=True)
        users, codes = np.unique(columns["user"], return_inverse=True)
        users, codes = users[users >= 0], codes - int((users < 0).sum())
        return Events(
            items=tuple(self.items[number] for number in items.tolist()),
            titles=[self.titles[number] for number in items.tolist()],
            cut=self.cut[items],
            columns=columns
            | {"item": columns["item"].astype(np.int32), "user": codes.astype(np.int32)},
            users=self.users[users],
            too_old=int((~young).sum()),
        )


class EventLog:
    """The kept events of all sources, growing by blocks.

    Items and users keep one numbering over all sources; a basket or session belongs to its
    source.
    """

    def __init__(self, users: Users, titles: Titles) -> None:
        self._items = Numbering()
        self.users = users
        self._baskets = Numbering()
        self._sessions = Numbering()
        self._titles = titles
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _TYPES}

    def begin_source(self) -> None:
        """From here on, an order or session number that was seen before is another one."""
        self._baskets = Numbering(self._baskets.next)
        self._sessions = Numbering(self._sessions.next)

    def add(self, kept: Kept) -> None:
        """Append the kept rows of a block."""
        item = self._items.numbers(kept.item.texts)[kept.item.codes]
        if kept.title is not None:
            self._titles.add(item, kept.title, kept.time)
        part: dict[str, NDArray[Any]] = {
            "item": item,
            "basket": _numbered(self._baskets, kept.basket, len(item)),
            "session": _numbered(self._sessions, kept.session, len(item)),
            "user": _numbered(self.users, kept.user, len(item)),
            "kind": kept.kind,
            "time": kept.time,
        }
        for name, column in part.items():
            self._parts[name].append(column)

    def events(self) -> Events:
        """All events so far."""
        items = self._items.texts()
        titles, cut = self._titles.chosen(len(items))
        columns = {
            name: np.concatenate([np.empty(0, dtype), *self._parts[name]])
            for name, dtype in _TYPES.items()
        }
        return Events(items, titles, cut, columns, self.users.hashes())


@dataclass(frozen=True, slots=True)
class EventReader:
    """Reads the files of one source after another into `log`.

    `kinds` are the codes of all kinds; titles are read where the catalogue `derives` from them.
    """

    log: EventLog
    intake: Intake
    kinds: Mapping[str, int]
    derives: bool

    def read(self, source: InteractionSource, files: Sequence[InputFile]) -> None:
        """Read one source. Raises: ConfigError or DataError naming the file."""
        self.log.begin_source()
        for file in files:
            self._read_file(source, file)

    def _read_file(self, source: InteractionSource, file: InputFile) -> None:
        clock = Clock(source.time_zone, source.time_format)
        with self.intake.opened(file, source.delimiter, source.encoding) as opened:
            if not opened.header.columns:
                return
            names = event_names(opened.header, source, file.setting, derives=self.derives)
            screen = Screen(source, names, clock, self.kinds, self.log.users)
            for block in opened.blocks(names.wanted(), names.ids()):
                self.log.add(screen.kept(block, opened.ledger))


def kind_weights(sources: Sequence[InteractionSource]) -> dict[str, float]:
    """The weight of every kind, by name.

    Raises: ConfigError where two sources weigh a kind differently, or all of them know too many.
    """
    weights: dict[str, float] = {}
    for number, source in enumerate(sources):
        for kind, weight in source.weights.items():
            if weights.setdefault(kind, weight) != weight:
                raise ConfigError(
                    f"interactions.{number}.weights.{kind}: {weight:g} here, {weights[kind]:g} in "
                    "an earlier source; give the kind one weight, or two names"
                )
    if len(weights) > MAX_KINDS:
        raise ConfigError(f"interactions: {len(weights)} kinds; {MAX_KINDS} are allowed")
    return dict(sorted(weights.items()))


def _numbered(numbering: Numbering | Users, cells: Distinct | None, n_rows: int) -> Rows:
    if cells is None:
        return np.full(n_rows, -1, dtype=np.int32)
    return numbering.numbers(cells.texts)[cells.codes]
