"""Preview: lists before and after a rule book, as people compare them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import NONE, RelatedLists
from recommender.core.related import EVIDENCE, Evidence
from recommender.errors import ConfigError
from recommender.live.live_state import Scene
from recommender.merchandising.application import Rewriting
from recommender.merchandising.matching import nearest
from recommender.merchandising.rule_set import RuleBook
from recommender.merchandising.whole_lists import Rewritten, columns_of

MOST_CHANGED = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list as people compare it; `stays` where the other list has it too."""

    item: str
    title: str
    evidence: Evidence
    stays: bool


@dataclass(frozen=True, slots=True)
class PreviewedList:
    """What a page shows of one list before and after, and the rules that acted.

    `n_new` entries were not shown before.
    """

    item: str
    title: str
    n_new: int
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """One placement before and after: how many lists differ in what a page shows, and some."""

    placement: str
    shown: int
    n_lists: int
    n_changed: int
    lists: tuple[PreviewedList, ...]


def preview(scene: Scene, book: RuleBook, placement: str, items: Sequence[str] = ()) -> Preview:
    """The lists of a placement before and after a book: those of some items, or the most changed.

    `book` holds the rules of the day. Raises: ConfigError for an unknown item or placement.
    """
    if placement not in scene.placements:
        names = ", ".join(scene.placements)
        raise ConfigError(f"placement {placement!r:.40} is not live; there are {names}")
    shown = scene.placements[placement].shown
    before = scene.live(placement)
    rewriting = scene.rewriting(book)
    made = rewriting.rewritten(scene.placements[placement], scene.chosen[placement])
    was, now = _top(before, shown), _top(made.lists, shown)
    changed, new = (was != now).any(axis=1), _new(was, now)
    rows = _asked(scene.catalogue, items) if items else _most_changed(changed, new, rewriting.sold)
    return Preview(
        placement,
        shown,
        len(changed),
        int(changed.sum()),
        tuple(_previewed(row, int(new[row]), (before, made), rewriting, shown) for row in rows),
    )


def _asked(catalogue: Catalogue, items: Sequence[str]) -> list[int]:
    for item in items:
        if item not in catalogue.ids:
            near = nearest(item, catalogue.ids)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"item {item!r:.60} is not in what is live{hint}")
    return [catalogue.ids.row(item) for item in dict.fromkeys(items)]


def _most_changed(
    changed: NDArray[np.bool_], new: NDArray[np.int64], sold: NDArray[np.float32]
) -> list[int]:
    """The rows whose lists differ, those with most new entries first, then the best selling."""
    order = np.lexsort((-sold, -new, ~changed))[:MOST_CHANGED]
    return [row for row in order.tolist() if changed[row]]


def _new(was: Rows, now: Rows) -> NDArray[np.int64]:
    """How many entries of each list (n, shown) were not there before."""
    known = np.zeros(now.shape, dtype=bool)
    for column in range(was.shape[1]):
        known |= now == was[:, column, None]
    new: NDArray[np.int64] = ((now != NONE) & ~known).sum(axis=1)
    return new


def _top(lists: RelatedLists, shown: int) -> Rows:
    """The first entries of each list (n, shown)."""
    rows = columns_of(lists, range(len(lists)))[0].rows[:, :shown]
    width = shown - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, width)), constant_values=NONE)


def _previewed(
    row: int, n_new: int, both: tuple[RelatedLists, Rewritten], rewriting: Rewriting, shown: int
) -> PreviewedList:
    catalogue, (was, made) = rewriting.catalogue, both
    before, after = (list(_entries(lists, row, shown)) for lists in (was, made.lists))
    acted = made.acted[made.acted[:, 0] == row, 1].tolist()
    return PreviewedList(
        catalogue.ids.ids[row],
        catalogue.title[row],
        n_new,
        _named(before, after, catalogue),
        _named(after, before, catalogue),
        tuple(rewriting.book.rules[number].name for number in acted),
    )


def _entries(lists: RelatedLists, row: int, shown: int) -> Iterator[tuple[int, int]]:
    """Row and evidence of the first entries of one list."""
    start, end = int(lists.offsets[row]), int(lists.offsets[row + 1])
    places = slice(start, min(start + shown, end))
    yield from zip(lists.rows[places].tolist(), lists.evidence[places].tolist(), strict=True)


def _named(
    entries: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]], catalogue: Catalogue
) -> tuple[Entry, ...]:
    there = {row for row, _ in others}
    return tuple(
        Entry(catalogue.ids.ids[row], catalogue.title[row], EVIDENCE[code], row in there)
        for row, code in entries
    )
