"""Interactions: the kept rows of all sources as compact columns, with hashed users."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import DAY_S, EVENT_COLUMNS, Interactions
from recommender.errors import ConfigError
from recommender.readers.checks import MAX_KINDS
from recommender.readers.orders import TakenBack, not_cancelled, not_returned
from recommender.readers.sources import InteractionSource
from recommender.readers.times import newest_plausible
from recommender.readers.titles import TitleCounts
from recommender.readers.values import Categorical, TextCodes

MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 64

_TYPES = {
    "item": np.int32,
    "basket": np.int32,
    "session": np.int32,
    "user": np.int32,
    "kind": np.int8,
    "time": np.int64,
    "quantity": np.float32,
}


def user_hash(raw: str, key: bytes) -> int:
    """The keyed 64-bit hash of a raw user id, which reveals nothing without the key."""
    digest = hashlib.blake2b(raw.encode("utf-8", "surrogatepass"), key=key, digest_size=8)
    return int.from_bytes(digest.digest(), "little")


class HashedUsers:
    """Codes of users by first appearance, and the keyed hash of each user.

    `forgotten` are the hashes of users whose interactions are left out.
    Raises: ConfigError where the key is too short to be secret, or longer than the hash takes.
    """

    def __init__(self, key: bytes, forgotten: frozenset[int] = frozenset()) -> None:
        if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
            raise ConfigError(
                f"the user key has {len(key)} bytes; "
                f"give {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random ones"
            )
        self._key = key
        self._forgotten = forgotten
        self._codes = TextCodes()

    def are_forgotten(self, raw: Sequence[str]) -> list[bool]:
        """Which of the raw user ids belong to forgotten users."""
        if not self._forgotten:
            return [False] * len(raw)
        return [user_hash(text, self._key) in self._forgotten for text in raw]

    def codes(self, raw: Iterable[str]) -> Rows:
        """The codes of raw user ids, -1 for an empty one."""
        return self._codes.codes(raw)

    def known(self, raw: Iterable[str]) -> Rows:
        """The codes of raw user ids, -1 for those that have none."""
        return self._codes.known(raw)

    def hashes(self) -> NDArray[np.uint64]:
        """The hash of the user with each code (u,)."""
        return np.array([user_hash(raw, self._key) for raw in self._codes.texts()], np.uint64)


@dataclass(frozen=True, slots=True)
class KeptRows:
    """The k rows of a block that are kept; None for a column that the file lacks.

    `kind` (k,) holds codes, `time` (k,) epoch seconds, `quantity` (k,) how many, 1 if unknown.
    """

    item: Categorical
    basket: Categorical | None
    session: Categorical | None
    user: Categorical | None
    title: Categorical | None
    kind: NDArray[np.int8]
    time: NDArray[np.int64]
    quantity: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class KeptInteractions:
    """m kept rows; `columns` are those of `Interactions`, but `item` (m,) indexes `items`.

    `items` are ids by first appearance, with the `titles` that the rows give them and a mask of
    titles that were `cut`. `too_old` counts the rows that were left out for their age, `cancelled`
    and `returned` those that were taken back, and `clipped` those whose time was clipped.
    """

    items: tuple[str, ...]
    titles: Sequence[str]
    cut: NDArray[np.bool_]
    columns: Mapping[str, NDArray[Any]]
    users: NDArray[np.uint64]
    too_old: int = 0
    cancelled: int = 0
    returned: int = 0
    clipped: int = 0

    def until(self, as_of: int) -> "KeptInteractions":
        """The rows with times after `as_of` clipped to it; 0 takes the newest plausible time."""
        time = self.columns["time"]
        end = as_of or newest_plausible(time)
        late = int((time > end).sum())
        if not (end and late):
            return self
        columns = dict(self.columns) | {"time": np.minimum(time, end)}
        return replace(self, columns=columns, clipped=late)

    def renamed(self, names: Mapping[str, str]) -> "KeptInteractions":
        """The rows with other ids for some items; their titles are those of one of them."""
        if not names:
            return self
        places: dict[str, int] = {}
        codes = [places.setdefault(names.get(each, each), len(places)) for each in self.items]
        first = {code: number for number, code in reversed(list(enumerate(codes)))}
        rows = [first[code] for code in range(len(places))]
        return replace(
            self,
            items=tuple(places),
            titles=[self.titles[row] for row in rows],
            cut=self.cut[rows],
            columns=dict(self.columns)
            | {"item": np.array(codes, dtype=np.int32)[self.columns["item"]]},
        )

    def within(self, days: int) -> "KeptInteractions":
        """The rows of the last `days` before the newest, or of unknown time; 0 keeps all.

        Items and users without a row are removed.
        """
        time = self.columns["time"]
        if not (days and len(time)):
            return self
        young = (time == 0) | (time >= time.max() - days * DAY_S)
        columns = {name: column[young] for name, column in self.columns.items()}
        items, columns["item"] = np.unique(columns["item"], return_inverse=True)
        users, codes = np.unique(columns["user"], return_inverse=True)
        users, codes = users[users >= 0], codes - int((users < 0).sum())
        return replace(
            self,
            items=tuple(self.items[number] for number in items.tolist()),
            titles=[self.titles[number] for number in items.tolist()],
            cut=self.cut[items],
            columns=columns
            | {"item": columns["item"].astype(np.int32), "user": codes.astype(np.int32)},
            users=self.users[users],
            too_old=int((~young).sum()),
        )

    def warm_items(self, weights: Mapping[str, float]) -> frozenset[str]:
        """The items with an interaction of positive weight; `weights` are in the order of kinds."""
        strong = np.array([weight > 0 for weight in weights.values()], dtype=bool)
        events = np.bincount(self.columns["item"][strong[self.columns["kind"]]])
        return frozenset(self.items[number] for number in np.flatnonzero(events).tolist())

    def of_catalogue(self, catalogue: Catalogue, weights: Mapping[str, float]) -> Interactions:
        """The interactions with items of the catalogue."""
        rows = catalogue.ids.rows(self.items)[self.columns["item"]]
        inside = rows >= 0
        columns = {name: self.columns[name][inside] for name in EVENT_COLUMNS}
        return Interactions(
            n_items=len(catalogue),
            **(columns | {"item": rows[inside]}),
            kinds=tuple(weights),
            weights=tuple(weights.values()),
            users=self.users,
        )


class InteractionLog:
    """The kept rows of all sources, collected block by block.

    Items and users have one code in all sources; a basket or session belongs to its source.
    """

    def __init__(self, users: HashedUsers, titles: TitleCounts) -> None:
        self.users = users
        self.taken_back = TakenBack()
        self._items = TextCodes()
        self._baskets = TextCodes()
        self._sessions = TextCodes()
        self._titles = titles
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _TYPES}
        self._sources: list[dict[str, NDArray[Any]]] = []
        self._returns: list[tuple[int, int, int, float, int]] = []
        self._cancelled = 0

    def begin_source(self) -> None:
        """Prepare for the rows of a source."""
        self.taken_back = TakenBack()
        self._parts = {name: [] for name in _TYPES}

    def end_source(self) -> None:
        """Remove cancelled baskets, and find what returns are of; later baskets have new codes."""
        columns = {
            name: np.concatenate([np.empty(0, dtype), *self._parts.pop(name)])
            for name, dtype in _TYPES.items()
        }
        if self.taken_back.baskets:
            kept = not_cancelled(columns["basket"], self.taken_back, self._baskets)
            self._cancelled += int((~kept).sum())
            columns = {name: column[kept] for name, column in columns.items()}
        self._sources.append(columns)
        returns = self.taken_back.returns
        items = self._items.known(each.item for each in returns).tolist()
        baskets = self._baskets.known(each.basket for each in returns).tolist()
        users = self.users.known(each.user for each in returns).tolist()
        self._returns += [
            (item, basket, user, each.quantity, each.time)
            for each, item, basket, user in zip(returns, items, baskets, users, strict=True)
        ]
        self._baskets = TextCodes(self._baskets.next)
        self._sessions = TextCodes(self._sessions.next)

    def add(self, kept: KeptRows) -> None:
        """Append the kept rows of a block."""
        item = self._items.codes(kept.item.texts)[kept.item.codes]
        if kept.title is not None:
            self._titles.add(item, kept.title, kept.time)
        part: dict[str, NDArray[Any]] = {
            "item": item,
            "basket": _coded(self._baskets, kept.basket, len(item)),
            "session": _coded(self._sessions, kept.session, len(item)),
            "user": _coded(self.users, kept.user, len(item)),
            "kind": kept.kind,
            "time": kept.time,
            "quantity": kept.quantity,
        }
        for name, column in part.items():
            self._parts[name].append(column)

    def events_by_id(self) -> list[dict[str, int]]:
        """The number of events of each item id, source by source."""
        ids = self._items.texts()
        counts = [np.bincount(columns["item"], minlength=len(ids)) for columns in self._sources]
        return [
            {ids[item]: int(count[item]) for item in np.flatnonzero(count).tolist()}
            for count in counts
        ]

    def interactions(self, bought: int = 0) -> KeptInteractions:
        """All rows of the sources that ended; `bought` is the code of the kind that is returned."""
        items = self._items.texts()
        titles, cut = self._titles.most_frequent(len(items))
        parts = self._sources or [{name: np.empty(0, dtype) for name, dtype in _TYPES.items()}]
        columns = {
            name: np.concatenate([part[name] for part in parts])
            if len(parts) > 1
            else parts[0][name]
            for name in _TYPES
        }
        kept = KeptInteractions(
            items, titles, cut, columns, self.users.hashes(), cancelled=self._cancelled
        )
        if not self._returns:
            return kept
        remaining = not_returned(columns, self._returns, bought)
        columns = {name: column[remaining] for name, column in columns.items()}
        return replace(kept, columns=columns, returned=int((~remaining).sum()))


def kind_weights(sources: Sequence[InteractionSource]) -> dict[str, float]:
    """The weight of every kind, by name.

    Raises: ConfigError where two sources give a kind different weights, or there are too many.
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


def _coded(codes: TextCodes | HashedUsers, cells: Categorical | None, n_rows: int) -> Rows:
    if cells is None:
        return np.full(n_rows, -1, dtype=np.int32)
    return codes.codes(cells.texts)[cells.codes]
