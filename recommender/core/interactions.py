"""Interactions: who did what with which item, when."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from recommender.core.arrays import Columns, Rows, frozen, pack_texts, unpack_texts
from recommender.errors import DataError

Unit = Literal["auto", "basket", "session", "user"]
"""What joins events; `auto` is the finest unit that a shop gives."""

DAY_S = 86_400


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
        columns = ("item", "basket", "session", "user", "kind", "time")
        for name in columns:
            if len(getattr(self, name)) != len(self.item):
                raise DataError(f"interactions column {name} has another length than item")
        if len(self.item) and (self.item.min() < 0 or self.item.max() >= self.n_items):
            raise DataError("an interaction names a row outside of the catalogue")
        for name in (*columns, "users"):
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
        units, strength = self.units_of(unit), self._strength()
        seen = (units >= 0) & (strength > 0)
        count, rows = _numbered(units[seen])
        place, values = _largest(rows * self.n_items + self.item[seen], strength[seen])
        shape = (count, self.n_items)
        at = np.divmod(place, max(self.n_items, 1))
        matrix: sp.csr_array[np.float32] = sp.csr_array((values, (at[0], at[1])), shape=shape)
        return matrix

    def unit_times(self, unit: Unit = "auto") -> npt.NDArray[np.int64]:
        """Time of the newest event of each unit (u,), in the order of `matrix`."""
        units = self.units_of(unit)
        seen = (units >= 0) & (self._strength() > 0)
        count, rows = _numbered(units[seen])
        times = np.zeros(count, dtype=np.int64)
        np.maximum.at(times, rows, self.time[seen])
        return times

    def owners(self, unit: Unit = "auto") -> Rows:
        """The user of each unit (u,), in the order of `matrix`, a number of its own without one."""
        units = self.units_of(unit)
        seen = (units >= 0) & (self._strength() > 0)
        count, rows = _numbered(units[seen])
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
        columns = ("item", "basket", "session", "user", "kind", "time")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

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
            "item": self.item,
            "basket": self.basket,
            "session": self.session,
            "user": self.user,
            "kind": self.kind,
            "time": self.time,
            "weights": np.array(self.weights, dtype=np.float64),
            "users": self.users,
        } | pack_texts("kinds", self.kinds)

    @classmethod
    def from_columns(cls, columns: Columns) -> "Interactions":
        """Undo `columns`."""
        arrays = ("item", "basket", "session", "user", "kind", "time", "users")
        return cls(
            n_items=int(columns["n_items"]),
            kinds=unpack_texts("kinds", columns),
            weights=tuple(columns["weights"].tolist()),
            **{name: columns[name] for name in arrays},
        )


def _numbered(units: Rows) -> tuple[int, npt.NDArray[np.int64]]:
    """How many distinct units there are, and the place (m,) of each event's among them."""
    there = np.zeros(int(units.max(initial=-1)) + 1, dtype=bool)
    there[units] = True
    places = np.cumsum(there, dtype=np.int64) - 1
    return int(there.sum()), places[units]


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
