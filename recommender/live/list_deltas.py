"""Patches: what refreshed items change in the lists of one placement, and the lists so changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Columns, FloatVector, Rows, frozen, pack_texts, unpack_texts
from recommender.core.ids import ItemIds
from recommender.core.lists import Lists
from recommender.core.neighbours import RelatedLists, places
from recommender.core.related import EVIDENCE
from recommender.errors import DataError

PROVISIONAL_SHARE = 0.25
_POPULAR = EVIDENCE.index("popular")
_GIVEN, _SETTLED, _ENTERING = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries (e,): in whose list they stand, whom they name, score and evidence, by id."""

    holders: tuple[str, ...]
    items: tuple[str, ...]
    scores: FloatVector
    evidence: NDArray[np.uint8]

    def __post_init__(self) -> None:
        sizes = {len(column) for column in (self.holders, self.items, self.scores, self.evidence)}
        if len(sizes) != 1:
            raise DataError("a patch: columns differ in length")
        object.__setattr__(self, "scores", frozen(self.scores))
        object.__setattr__(self, "evidence", frozen(self.evidence))

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def none(cls) -> "Entries":
        """No entry."""
        return cls((), (), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.uint8))

    def select(self, kept: Sequence[bool]) -> "Entries":
        """The entries where `kept` (e,) holds."""
        chosen = np.array(kept, dtype=bool)
        return Entries(
            tuple(compress(self.holders, kept)),
            tuple(compress(self.items, kept)),
            self.scores[chosen],
            self.evidence[chosen],
        )

    def joined(self, others: "Entries") -> "Entries":
        """These, then those."""
        return Entries(
            (*self.holders, *others.holders),
            (*self.items, *others.items),
            np.concatenate([self.scores, others.scores]),
            np.concatenate([self.evidence, others.evidence]),
        )

    def precedence(self) -> NDArray[np.int64]:
        """Who comes first (e,): by score, then by id, whatever the order of the entries."""
        scores = self.scores.tolist()
        first = sorted(range(len(self)), key=lambda at: (-scores[at], self.items[at]))
        place = np.empty(len(self), dtype=np.int64)
        place[first] = np.arange(len(self))
        return place

    def columns(self) -> Columns:
        """The entries as arrays."""
        columns = pack_texts("holders", self.holders) | pack_texts("items", self.items)
        return columns | {"scores": self.scores, "evidence": self.evidence}

    @classmethod
    def from_columns(cls, columns: Columns) -> "Entries":
        """Undo `columns`."""
        holders, items = (unpack_texts(name, columns) for name in ("holders", "items"))
        return cls(holders, items, columns["scores"], columns["evidence"])


@dataclass(frozen=True, slots=True)
class Patch:
    """What the refreshed `items` (k,) change in a placement whose lists have `shown` and `depth`.

    They leave all lists; where one that is not `sold_out` (k,) fills lists up, it does so still.

    `own` are the entries of their own lists, best first; `entering` where they enter other lists.
    Of these, `provisional` (e,) are of items without interactions; `given` (e,) have the place
    `shown` even where they score below it, so that a new product is seen by somebody.
    """

    placement: str
    shown: int
    depth: int
    items: tuple[str, ...]
    sold_out: NDArray[np.bool_]
    own: Entries
    entering: Entries
    provisional: NDArray[np.bool_]
    given: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name in ("sold_out", "provisional", "given"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def joined(self, later: "Patch") -> "Patch":
        """Both patches; whatever the earlier one says of the items of the later one is gone."""
        fresh = frozenset(later.items)
        own = [
            holder not in fresh and item not in fresh
            for holder, item in zip(self.own.holders, self.own.items, strict=True)
        ]
        entering = [
            holder not in fresh and item not in fresh
            for holder, item in zip(self.entering.holders, self.entering.items, strict=True)
        ]
        kept = [item not in fresh for item in self.items]
        return replace(
            later,
            items=(*compress(self.items, kept), *later.items),
            sold_out=np.concatenate([self.sold_out[kept], later.sold_out]),
            own=self.own.select(own).joined(later.own),
            entering=self.entering.select(entering).joined(later.entering),
            provisional=np.concatenate([self.provisional[entering], later.provisional]),
            given=np.concatenate([self.given[entering], later.given]),
        )

    def plain(self) -> dict[str, Any]:
        """What of the patch is no column."""
        return {"placement": self.placement, "shown": self.shown, "depth": self.depth}

    def columns(self) -> Columns:
        """The patch as arrays."""
        columns: Columns = pack_texts("refreshed", self.items)
        for part in ("own", "entering"):
            entries: Entries = getattr(self, part)
            columns |= {f"{part}.{name}": array for name, array in entries.columns().items()}
        return columns | {
            name: getattr(self, name) for name in ("sold_out", "provisional", "given")
        }

    @classmethod
    def from_columns(cls, plain: Mapping[str, Any], columns: Columns) -> "Patch":
        """Undo `plain` and `columns`."""

        def entries(part: str) -> Entries:
            names = [name for name in columns if name.startswith(f"{part}.")]
            return Entries.from_columns(
                {name.removeprefix(f"{part}."): columns[name] for name in names}
            )

        return cls(
            **plain,
            items=unpack_texts("refreshed", columns),
            sold_out=columns["sold_out"],
            own=entries("own"),
            entering=entries("entering"),
            provisional=columns["provisional"],
            given=columns["given"],
        )


def patched(base: Lists, ids: ItemIds, patch: Patch | None) -> RelatedLists:
    """The lists of all `ids`, which begin with those of the build, with a patch laid over them.

    Refreshed items leave every list and get their own; then they enter others by their scores, or
    at the place that is given to them. At most a quarter of a list is provisional, and none is
    longer than the placement's depth. Best sellers that fill a list up stay behind.
    """
    lists = base.lists
    sizes = np.concatenate([lists.sizes, np.zeros(len(ids) - len(base.ids), dtype=np.int64)])
    if patch is None:
        return replace(lists, offsets=_offsets(sizes))
    refreshed = np.zeros(len(ids), dtype=bool)
    refreshed[ids.rows(patch.items)] = True
    sold_out = refreshed.copy()
    sold_out[ids.rows(patch.items)] = patch.sold_out
    touched = refreshed.copy()
    touched[ids.rows(patch.entering.holders)] = True
    owners = np.repeat(np.arange(len(lists), dtype=np.int32), lists.sizes)
    fills = (lists.evidence == _POPULAR) & ~sold_out[lists.rows]
    leaves = refreshed[lists.rows] & ~fills
    touched[owners[leaves]] = True
    stays = np.flatnonzero(touched[owners] & ~refreshed[owners] & ~leaves)
    own = patch.own
    settled = _Table.of_build(lists, owners, stays).joined(
        _Table.of(own, ids, np.full(len(own), _SETTLED), np.arange(len(own)))
    )
    entering = _entering(patch, ids, settled)
    merged = settled.without(entering).joined(entering).ordered(patch.depth)
    sizes[touched] = np.bincount(merged.owners, minlength=len(ids))[touched]
    return _replaced(lists, sizes, touched, merged)


def _entering(patch: Patch, ids: ItemIds, settled: "_Table") -> "_Table":
    """The entries that enter, at their places; of the provisional ones the first quarter."""
    entries = patch.entering
    kind = np.where(patch.given, _GIVEN, _ENTERING)
    entering = _Table.of(entries, ids, kind, entries.precedence())
    entering = entering.placed(settled, patch.shown)
    counted = np.flatnonzero(patch.provisional)
    kept = np.ones(len(patch.entering), dtype=bool)
    most = max(1, int(PROVISIONAL_SHARE * patch.depth))
    kept[counted] = entering.select(counted).rank_in_list() < most
    return entering.select(kept)


def _replaced(
    lists: RelatedLists, sizes: NDArray[np.int64], touched: NDArray[np.bool_], merged: "_Table"
) -> RelatedLists:
    """The lists with those that were touched taken from a table, which is in order."""
    offsets = _offsets(sizes)
    columns = {}
    stays = np.flatnonzero(~touched[: len(lists)])
    to, source = places(offsets, stays), lists.places(stays)
    of_merged = places(offsets, np.flatnonzero(touched))
    for name in ("rows", "scores", "evidence"):
        column = np.empty(offsets[-1], dtype=getattr(lists, name).dtype)
        column[to] = getattr(lists, name)[source]
        column[of_merged] = getattr(merged, name)
        columns[name] = column
    return RelatedLists(lists.placement, offsets, **columns, best_sellers=lists.best_sellers)


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


@dataclass(frozen=True, slots=True)
class _Table:
    """Entries (e,) of some lists by rows; `order` says who stands first among equals."""

    owners: Rows
    rows: Rows
    scores: FloatVector
    evidence: NDArray[np.uint8]
    kind: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of_build(cls, lists: RelatedLists, owners: Rows, stays: NDArray[np.intp]) -> "_Table":
        """Those entries of a build that stay, in their order."""
        return cls(
            owners[stays],
            lists.rows[stays],
            lists.scores[stays],
            lists.evidence[stays],
            np.full(len(stays), _SETTLED),
            np.arange(len(stays)),
        )

    @classmethod
    def of(
        cls, entries: Entries, ids: ItemIds, kind: NDArray[np.int64], order: NDArray[np.int64]
    ) -> "_Table":
        """Entries by id."""
        owners, rows = ids.rows(entries.holders), ids.rows(entries.items)
        return cls(owners, rows, entries.scores, entries.evidence, kind, order)

    def select(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> "_Table":
        """The entries at some places."""
        return _Table(*(getattr(self, name)[kept] for name in _COLUMNS))

    def joined(self, other: "_Table") -> "_Table":
        """These and those."""
        return _Table(
            *(np.concatenate([getattr(self, name), getattr(other, name)]) for name in _COLUMNS)
        )

    def without(self, others: "_Table") -> "_Table":
        """The entries whose item does not stand in the same list among the others."""
        width = np.int64(1) << 32
        pairs = self.owners * width + self.rows
        return self.select(~np.isin(pairs, others.owners * width + others.rows))

    def rank_in_list(self) -> NDArray[np.int64]:
        """The place (e,) of each entry in its list, by score, then by `order`."""
        popular = self.evidence == _POPULAR
        keys = (self.order, self.kind, -self.scores, popular, self.owners)
        order = np.lexsort(keys)
        owners = self.owners[order]
        first = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
        sizes = np.diff(np.append(first, len(owners)))
        rank = np.empty(len(owners), dtype=np.int64)
        rank[order] = np.arange(len(owners)) - np.repeat(first, sizes) if len(owners) else 0
        return rank

    def placed(self, settled: "_Table", shown: int) -> "_Table":
        """The entries, those whose place is given with at least the score of what stands there."""
        own = settled.select(settled.evidence != _POPULAR)
        last = own.select(own.rank_in_list() == shown - 1)
        bars = dict(zip(last.owners.tolist(), last.scores.tolist(), strict=True))
        given = np.flatnonzero(self.kind == _GIVEN)
        scores = self.scores.copy()
        for at in given.tolist():
            scores[at] = max(scores[at], bars.get(int(self.owners[at]), 0.0))
        return replace(self, scores=scores)

    def ordered(self, depth: int) -> "_Table":
        """The first `depth` entries of each list, list by list, best first."""
        rank = self.rank_in_list()
        order = np.lexsort((rank, self.owners))
        return self.select(order[rank[order] < depth])


_COLUMNS = ("owners", "rows", "scores", "evidence", "kind", "order")
