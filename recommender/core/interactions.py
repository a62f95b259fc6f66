"""Interactions: who did what with which item, when; which items sell most, and more than before."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.core.arrays import Columns, FloatVector, Rows, frozen, pack_texts, unpack_texts
from recommender.errors import DataError

Unit = Literal["auto", "basket", "session", "user"]
"""What joins events; `auto` is the finest unit that a shop gives."""

DAY_S = 86_400
LONGER = 4
EVENT_COLUMNS = ("item", "basket", "session", "user", "kind", "time")


@dataclass(frozen=True, slots=True)
class Interactions:
    """Columns of m events on n items.

    `item` (m,) holds rows; `basket`, `session` and `user` (m,) hold numbers from 0, -1 where the
    event has none; `kind` (m,) indexes `kinds`, whose `weights` come from the settings; `time`
    (m,) is epoch seconds in UTC, 0 where unknown. `users` holds the keyed hash behind each user
    number: the raw id was dropped on reading, and neither leaves the interaction stage.

    Raises: DataError where columns differ in length or a row is outside of the catalogue.
    """

    n_items: int
    item: Rows
    basket: Rows
    session: Rows
    user: Rows
    kind: npt.NDArray[np.int8]
    time: npt.NDArray[np.int64]
    kinds: tuple[str, ...]
    weights: tuple[float, ...]
    users: npt.NDArray[np.uint64]

    def __post_init__(self) -> None:
        for name in EVENT_COLUMNS:
            if len(getattr(self, name)) != len(self.item):
                raise DataError(f"interactions column {name} has another length than item")
        if len(self.item) and (self.item.min() < 0 or self.item.max() >= self.n_items):
            raise DataError("an interaction names a row outside of the catalogue")
        for name in (*EVENT_COLUMNS, "users"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.item)

    @property
    def newest(self) -> int:
        """Time of the newest event in epoch seconds, 0 without events."""
        return int(self.time.max()) if len(self) else 0

    def matrix(self, unit: Unit = "auto") -> sp.csr_array[np.float32]:
        """Units by items (u, n): the largest weight of an event of that unit with that item.

        Units with no event of positive weight are left out; the others keep their order.
        """
        seen, count, rows = self._numbered(unit)
        strength = self._strength()[seen]
        place, values = _largest(rows * self.n_items + self.item[seen], strength)
        shape = (count, self.n_items)
        at = np.divmod(place, max(self.n_items, 1))
        matrix: sp.csr_array[np.float32] = sp.csr_array((values, (at[0], at[1])), shape=shape)
        return matrix

    def unit_times(self, unit: Unit = "auto") -> npt.NDArray[np.int64]:
        """Time of the newest event of each unit (u,), in the order of `matrix`."""
        seen, count, rows = self._numbered(unit)
        times = np.zeros(count, dtype=np.int64)
        np.maximum.at(times, rows, self.time[seen])
        return times

    def owners(self, unit: Unit = "auto") -> Rows:
        """The user of each unit (u,), in the order of `matrix`, a number of its own without one."""
        seen, count, rows = self._numbered(unit)
        owners = np.full(count, -1, dtype=np.int32)
        owners[rows] = self.user[seen]
        strangers = int(self.user.max(initial=-1)) + 1 + np.arange(count, dtype=np.int32)
        return np.where(owners >= 0, owners, strangers)

    def began(self) -> npt.NDArray[np.int64]:
        """Time of the earliest event of each event's basket, or session, else its own (m,)."""
        units = self.basket if (self.basket >= 0).any() else self.session
        known = units >= 0
        starts = np.full(int(units.max(initial=0)) + 1, np.iinfo(np.int64).max)
        np.minimum.at(starts, units[known], self.time[known])
        return np.where(known, starts[units], self.time)

    def _strength(self) -> npt.NDArray[np.float32]:
        return np.asarray(self.weights, dtype=np.float32)[self.kind]

    def _numbered(self, unit: Unit) -> tuple[npt.NDArray[np.bool_], int, npt.NDArray[np.int64]]:
        """Which events (m,) have a unit and count, how many units, and each such event's unit."""
        units = self.units_of(unit)
        seen = (units >= 0) & (self._strength() > 0)
        there = np.zeros(int(units[seen].max(initial=-1)) + 1, dtype=bool)
        there[units[seen]] = True
        places = np.cumsum(there, dtype=np.int64) - 1
        return seen, int(there.sum()), places[units[seen]]

    def units_of(self, unit: Unit = "auto") -> Rows:
        """The number of each event's unit (m,), -1 where it has none."""
        columns = {"basket": self.basket, "session": self.session, "user": self.user}
        return columns[self._finest_unit() if unit == "auto" else unit]

    def _finest_unit(self) -> Literal["basket", "session", "user"]:
        if (self.basket >= 0).any():
            return "basket"
        return "session" if (self.session >= 0).any() else "user"

    def select(self, chosen: npt.NDArray[np.bool_]) -> "Interactions":
        """The events where `chosen` (m,) holds; numbers of baskets, sessions and users stay."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in EVENT_COLUMNS})

    def capped(self, most: int) -> "Interactions":
        """The events, each user with each item in at most the newest `most` baskets or sessions.

        Kinds are counted apart. So no user says more than `most` times, in however many baskets,
        that two items belong together, or that one sells. Who has no user, or no basket and no
        session, is not counted. 0 caps nothing. Linear in the events, but for sorting them.
        """
        unit = np.where(self.basket >= 0, self.basket, -2 - self.session)
        counted = np.flatnonzero((self.user >= 0) & (unit != -1))
        if not most or not len(counted):
            return self
        keys = self.user[counted], self.item[counted], self.kind[counted]
        order = counted[np.lexsort((-unit[counted], -self.time[counted], *keys))]
        same = np.ones(len(order), dtype=bool)
        for column in (self.user, self.item, self.kind):
            same[1:] &= column[order][1:] == column[order][:-1]
        same[0] = False
        another = ~same
        another[1:] |= unit[order][1:] != unit[order][:-1]
        place = np.cumsum(another)
        kept = np.ones(len(self), dtype=bool)
        kept[order] = place - place[~same][np.cumsum(~same) - 1] < most
        return self.select(kept)

    def of_kinds(self, kinds: Collection[str]) -> "Interactions":
        """The events of some kinds; all of them where none is named."""
        if not kinds:
            return self
        wanted = np.array([kind in kinds for kind in self.kinds], dtype=bool)
        return self.select(wanted[self.kind])

    def columns(self) -> Columns:
        """The interactions as arrays."""
        return {
            "n_items": np.array(self.n_items),
            **{name: getattr(self, name) for name in EVENT_COLUMNS},
            "weights": np.array(self.weights, dtype=np.float64),
            "users": self.users,
        } | pack_texts("kinds", self.kinds)

    @classmethod
    def from_columns(cls, columns: Columns) -> "Interactions":
        """Undo `columns`."""
        return cls(
            n_items=int(columns["n_items"]),
            kinds=unpack_texts("kinds", columns),
            weights=tuple(columns["weights"].tolist()),
            **{name: columns[name] for name in (*EVENT_COLUMNS, "users")},
        )


def _largest(
    places: npt.NDArray[np.int64], strength: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The distinct places (p,) in their order, and the largest strength at each."""
    if len(strength) and (strength == strength[0]).all():
        places = np.sort(places)
        first = np.ones(len(places), dtype=bool)
        first[1:] = places[1:] != places[:-1]
        return places[first], strength[: first.sum()]
    order = np.lexsort((-strength, places))
    distinct, at = np.unique(places[order], return_index=True)
    return distinct, strength[order][at]


def support(seen: sp.csr_array[np.float32]) -> npt.NDArray[np.float32]:
    """The number of units that each item is in (n,), from a matrix of units by items (u, n)."""
    return np.bincount(seen.indices, minlength=seen.shape[1]).astype(np.float32)


def most_popular(
    popularity: npt.NDArray[np.floating], allowed: npt.NDArray[np.bool_] | None = None
) -> Rows:
    """Rows (r,) by falling `popularity` (n,); those at 0 or not `allowed` (n,) are left out.

    Ties are in row order.
    """
    ranked = np.argsort(-popularity, kind="stable").astype(np.int32)
    listed = popularity[ranked] > 0
    if allowed is not None:
        listed &= allowed[ranked]
    rows: Rows = ranked[listed]
    return rows


def growth(interactions: Interactions, half_life_days: float) -> FloatVector:
    """By how many standard deviations each item (n,) sells more now than its usual share.

    Recent events count half for every half-life before the newest event; the usual share counts
    them half for every four half-lives. An item that keeps its share of the shop has a growth of 0,
    whatever the season does to the shop as a whole, and so has one without events.

    Source: the standardised residual of a Poisson count, shrunk by one event.
    """
    age = (interactions.newest - interactions.time) / DAY_S
    weight = np.asarray(interactions.weights, dtype=np.float64)[interactions.kind]
    late, always = (
        np.bincount(
            interactions.item, weight * 0.5 ** (age / half_life), minlength=interactions.n_items
        )
        for half_life in (half_life_days, LONGER * half_life_days)
    )
    expected = always * (late.sum() / max(float(always.sum()), 1e-9))
    grown: FloatVector = ((late - expected) / np.sqrt(expected + 1)).astype(np.float32)
    return grown
