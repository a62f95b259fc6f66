"""List deltas: the changes that refreshed items make in the lists of one placement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, Rows, frozen, pack_texts, unpack_texts
from recommender.core.ids import ItemIds, tie_order
from recommender.core.lists import (
    PADDING,
    Entries,
    NamedLists,
    RelatedLists,
    offsets_of,
    places,
    ranks_of,
)
from recommender.core.related import EVIDENCE
from recommender.errors import DataError

PROVISIONAL_SHARE = 0.25
_POPULAR = EVIDENCE.index("popular")
_GIVEN, _SETTLED, _INSERTED = 0, 1, 2
_MARKS = ("sold_out", "provisional", "given")
_OWN, _INSERTED_ENTRIES = "own", "entering"
"""The prefixes of the columns of both kinds of entries in an artifact."""


def prefixed(prefix: str, columns: Columns) -> Columns:
    """The columns with `prefix.` before their names."""
    return {f"{prefix}.{name}": array for name, array in columns.items()}


def with_prefix(prefix: str, columns: Columns) -> Columns:
    """The columns that `prefixed` made, under their own names."""
    start = f"{prefix}."
    return {n.removeprefix(start): array for n, array in columns.items() if n.startswith(start)}


@dataclass(frozen=True, slots=True)
class NamedEntries:
    """Entries (e,) by id: the owners of their lists, the items, and all other columns."""

    holders: tuple[str, ...]
    items: tuple[str, ...]
    values: Columns

    def __post_init__(self) -> None:
        if len({len(self.holders), len(self.items), *map(len, self.values.values())}) != 1:
            raise DataError("a list delta: columns differ in length")
        frozen_values = {name: frozen(column) for name, column in self.values.items()}
        object.__setattr__(self, "values", frozen_values)

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def of(cls, ids: ItemIds, holders: Rows, entries: Entries) -> "NamedEntries":
        """Entries (e,) in the lists of some rows (e,)."""
        names, listed = ids.ids, entries.rows.tolist()
        return cls(
            tuple(names[row] for row in holders.tolist()),
            tuple(names[row] for row in listed),
            _values(entries.columns()),
        )

    def select(self, kept: Sequence[bool]) -> "NamedEntries":
        """The entries where `kept` (e,) holds."""
        chosen = np.array(kept, dtype=bool)
        return NamedEntries(
            tuple(compress(self.holders, kept)),
            tuple(compress(self.items, kept)),
            {name: column[chosen] for name, column in self.values.items()},
        )

    def joined(self, others: "NamedEntries") -> "NamedEntries":
        """These entries, then the others."""
        return NamedEntries(
            (*self.holders, *others.holders),
            (*self.items, *others.items),
            {n: np.concatenate([column, others.values[n]]) for n, column in self.values.items()},
        )

    def precedence(self) -> NDArray[np.int64]:
        """The rank (e,) of each entry by score, then in `tie_order`, whatever their order."""
        ordered = tie_order(self.items)
        first = ordered[np.argsort(-self.values["scores"][ordered], kind="stable")]
        place = np.empty(len(self), dtype=np.int64)
        place[first] = np.arange(len(self))
        return place

    def columns(self) -> Columns:
        """The entries as arrays."""
        return pack_texts("holders", self.holders) | pack_texts("items", self.items) | self.values

    @classmethod
    def from_columns(cls, columns: Columns) -> "NamedEntries":
        """Undo `columns`."""
        holders, items = (unpack_texts(name, columns) for name in ("holders", "items"))
        return cls(holders, items, _values(columns))


def _values(columns: Columns) -> Columns:
    """The columns of entries except rows, whose meaning depends on the build."""
    return {name: columns[name] for name in PADDING if name != "rows"}


@dataclass(frozen=True, slots=True)
class ListDelta:
    """The changes by refreshed `items` (k,) in a placement with `shown` and `depth`.

    The items are removed from all lists, except where one that is not `sold_out` (k,) fills up a
    list as a best seller. `own` has the entries of their own lists, best first, and `inserted`
    their entries in other lists. Of the latter, `provisional` (e,) belong to items without
    interactions, and `given` (e,) get the place `shown` even if they score below it, so that
    somebody sees a new product.
    """

    placement: str
    shown: int
    depth: int
    items: tuple[str, ...]
    sold_out: NDArray[np.bool_]
    own: NamedEntries
    inserted: NamedEntries
    provisional: NDArray[np.bool_]
    given: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name in _MARKS:
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def joined(self, later: "ListDelta") -> "ListDelta":
        """Both deltas; the later one replaces all changes by its items."""
        fresh = frozenset(later.items)
        own, inserted = (
            [fresh.isdisjoint(pair) for pair in zip(part.holders, part.items, strict=True)]
            for part in (self.own, self.inserted)
        )
        kept = [item not in fresh for item in self.items]
        return replace(
            later,
            items=(*compress(self.items, kept), *later.items),
            sold_out=np.concatenate([self.sold_out[kept], later.sold_out]),
            own=self.own.select(own).joined(later.own),
            inserted=self.inserted.select(inserted).joined(later.inserted),
            provisional=np.concatenate([self.provisional[inserted], later.provisional]),
            given=np.concatenate([self.given[inserted], later.given]),
        )

    def plain(self) -> dict[str, Any]:
        """The fields of the delta that are not columns."""
        return {"placement": self.placement, "shown": self.shown, "depth": self.depth}

    def columns(self) -> Columns:
        """The delta as arrays."""
        return (
            pack_texts("refreshed", self.items)
            | prefixed(_OWN, self.own.columns())
            | prefixed(_INSERTED_ENTRIES, self.inserted.columns())
            | {name: getattr(self, name) for name in _MARKS}
        )

    @classmethod
    def from_columns(cls, plain: Mapping[str, Any], columns: Columns) -> "ListDelta":
        """Undo `plain` and `columns`."""
        return cls(
            **plain,
            items=unpack_texts("refreshed", columns),
            own=NamedEntries.from_columns(with_prefix(_OWN, columns)),
            inserted=NamedEntries.from_columns(with_prefix(_INSERTED_ENTRIES, columns)),
            sold_out=columns["sold_out"],
            provisional=columns["provisional"],
            given=columns["given"],
        )


def apply_delta(base: NamedLists, ids: ItemIds, delta: ListDelta | None) -> RelatedLists:
    """The lists of all `ids`, which begin with those of the build, changed by a delta.

    Refreshed items are removed from all lists and get their own. Then they are inserted into other
    lists by their scores, or at the place given to them. At most a quarter of a list is
    provisional, and no list is longer than the depth of the placement. Best sellers that fill up a
    list stay at its end.
    """
    lists = base.lists
    sizes = np.concatenate([lists.sizes, np.zeros(len(ids) - len(base.ids), dtype=np.int64)])
    if delta is None:
        return replace(lists, offsets=offsets_of(sizes))
    refreshed = np.zeros(len(ids), dtype=bool)
    refreshed[ids.rows(delta.items)] = True
    sold_out = refreshed.copy()
    sold_out[ids.rows(delta.items)] = delta.sold_out
    touched = refreshed.copy()
    touched[ids.rows(delta.inserted.holders)] = True
    owners, entries = lists.owners, lists.entries
    fills = (entries.evidence == _POPULAR) & ~sold_out[entries.rows]
    leaves = refreshed[entries.rows] & ~fills
    touched[owners[leaves]] = True
    stays = np.flatnonzero(touched[owners] & ~refreshed[owners] & ~leaves)
    own = _Table.of(delta.own, ids, np.full(len(delta.own), _SETTLED), np.arange(len(delta.own)))
    built = _Table(
        owners[stays], entries[stays], np.full(len(stays), _SETTLED), np.arange(len(stays))
    )
    settled = built.joined(own)
    inserted = _inserted(delta, ids, settled)
    merged = settled.without(inserted).joined(inserted).ordered(delta.depth)
    sizes[touched] = np.bincount(merged.owners, minlength=len(ids))[touched]
    return _replaced(lists, sizes, touched, merged)


def _inserted(delta: ListDelta, ids: ItemIds, settled: "_Table") -> "_Table":
    """The inserted entries at their places; provisional ones up to a quarter of a list."""
    kind = np.where(delta.given, _GIVEN, _INSERTED)
    inserted = _Table.of(delta.inserted, ids, kind, delta.inserted.precedence())
    inserted = inserted.placed(settled, delta.shown)
    counted = np.flatnonzero(delta.provisional)
    kept = np.ones(len(delta.inserted), dtype=bool)
    most = max(1, int(PROVISIONAL_SHARE * delta.depth))
    kept[counted] = inserted.select(counted).rank_in_list() < most
    return inserted.select(kept)


def _replaced(
    lists: RelatedLists, sizes: NDArray[np.int64], touched: NDArray[np.bool_], merged: "_Table"
) -> RelatedLists:
    """The lists, with the touched ones taken from a table that is in order."""
    offsets = offsets_of(sizes)
    stays = np.flatnonzero(~touched[: len(lists)])
    entries = Entries.padded(int(offsets[-1]))
    entries.put(places(offsets, stays), lists.entries[lists.places(stays)])
    entries.put(places(offsets, np.flatnonzero(touched)), merged.entries)
    return RelatedLists(lists.placement, offsets, entries, lists.best_sellers)


@dataclass(frozen=True, slots=True)
class _Table:
    """Entries (e,) of some lists by rows; `order` ranks entries of equal score."""

    owners: Rows
    entries: Entries
    kind: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(
        cls, named: NamedEntries, ids: ItemIds, kind: NDArray[np.int64], order: NDArray[np.int64]
    ) -> "_Table":
        """Entries by id."""
        return cls(
            ids.rows(named.holders), Entries(ids.rows(named.items), **named.values), kind, order
        )

    def select(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> "_Table":
        """The entries at some places."""
        return _Table(self.owners[kept], self.entries[kept], self.kind[kept], self.order[kept])

    def joined(self, other: "_Table") -> "_Table":
        """These entries and the others."""
        return _Table(
            np.concatenate([self.owners, other.owners]),
            Entries.concatenated([self.entries, other.entries]),
            np.concatenate([self.kind, other.kind]),
            np.concatenate([self.order, other.order]),
        )

    def without(self, others: "_Table") -> "_Table":
        """The entries whose item is not in the same list among the others."""
        width = np.int64(1) << 32
        pairs = self.owners * width + self.entries.rows
        return self.select(~np.isin(pairs, others.owners * width + others.entries.rows))

    def rank_in_list(self) -> NDArray[np.int64]:
        """The place (e,) of each entry in its list, by score, then by `order`."""
        popular = self.entries.evidence == _POPULAR
        order = np.lexsort((self.order, self.kind, -self.entries.scores, popular, self.owners))
        rank = np.empty(len(self.owners), dtype=np.int64)
        rank[order] = ranks_of(np.bincount(self.owners))
        return rank

    def placed(self, settled: "_Table", shown: int) -> "_Table":
        """The entries; a given place gets at least the score of the entry at that place."""
        own = settled.select(settled.entries.evidence != _POPULAR)
        last = own.select(own.rank_in_list() == shown - 1)
        bars = dict(zip(last.owners.tolist(), last.entries.scores.tolist(), strict=True))
        given = np.flatnonzero(self.kind == _GIVEN)
        scores = self.entries.scores.copy()
        for at in given.tolist():
            scores[at] = max(scores[at], bars.get(int(self.owners[at]), 0.0))
        return replace(self, entries=replace(self.entries, scores=scores))

    def ordered(self, depth: int) -> "_Table":
        """The first `depth` entries of each list, list by list, best first."""
        rank = self.rank_in_list()
        order = np.lexsort((rank, self.owners))
        return self.select(order[rank[order] < depth])
