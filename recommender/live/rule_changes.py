"""Rule changes: lists before and after a rule set, and putting it in force without a reindex."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.lists import RelatedLists, first_rows
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE, Evidence
from recommender.errors import ConfigError, DataError
from recommender.live.live_state import LiveState
from recommender.live.overlays import base_lists, lay
from recommender.live.rule_check import unknown_names
from recommender.merchandising.application import (
    MerchandisedLists,
    RuleApplication,
    snapshot,
)
from recommender.merchandising.matching import nearest
from recommender.merchandising.rule_set import RuleSet
from recommender.publishing.publisher import Publisher

MOST_CHANGED = 50


@dataclass(frozen=True, slots=True)
class PreviewedEntry:
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
    before: tuple[PreviewedEntry, ...]
    after: tuple[PreviewedEntry, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """One placement before and after: how many lists differ in what a page shows, and some."""

    placement: str
    shown: int
    n_lists: int
    n_changed: int
    lists: tuple[PreviewedList, ...]


def preview(live: LiveState, rules: RuleSet, placement: str, items: Sequence[str] = ()) -> Preview:
    """The lists of a placement before and after rules: those of some items, or the most changed.

    `rules` are those of the day. Raises: ConfigError for an unknown item or placement.
    """
    if placement not in live.placements:
        names = ", ".join(live.placements)
        raise ConfigError(f"placement {placement!r:.40} is not live; there are {names}")
    effective, application = live.effective(placement), live.application(rules)
    shown, before = effective.placement.shown, effective.whole()
    made = application.applied(effective.placement, effective.lists)
    was, now = _top(before, shown), _top(made.lists, shown)
    changed, new = (was != now).any(axis=1), _new(was, now)
    most_changed = _most_changed(changed, new, application.sold)
    rows = _asked(live.catalogue, items) if items else most_changed
    return Preview(
        placement,
        shown,
        len(changed),
        int(changed.sum()),
        tuple(_previewed(row, int(new[row]), (before, made), application, shown) for row in rows),
    )


def apply_rules(live: LiveState, publisher: Publisher, rules: RuleSet) -> Generation:
    """Lay the lists that rules change over what is live; refreshed items stay.

    `rules` are those of the day. Returns the overlay or, where no list differs from those of
    the full generation, that one. Raises: ArtifactError; StoreUnavailable, also where something
    else went live since the state was read.
    """
    record = live.record.with_rules(snapshot(rules))
    generation, _ = lay(
        live.artifacts,
        publisher,
        record,
        base=base_lists(live.artifacts, record),
        seen=live.pointer,
        rewrite=live.application(rules).rewrite(live.placements),
    )
    return generation


def require_known(rules: RuleSet, live: LiveState, *, skip_unknown: bool) -> int:
    """How many names in rules are unknown. Raises: DataError where some are and may not be."""
    unknown = list(unknown_names(rules, live.catalogue, live.placements))
    if unknown and not skip_unknown:
        (rule, name), more = unknown[0], len(unknown) - 1
        raise DataError(
            f"line {rule.line}: rule {rule.name!r:.60}: {name}"
            f"{f' (and {more} more)' if more else ''}; see recommender rules check, or leave out "
            "what such names mean with --skip-unknown"
        )
    return len(unknown)


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
    return first_rows(lists.sizes, lists.entries.rows, shown)


def _previewed(
    row: int,
    n_new: int,
    both: tuple[RelatedLists, MerchandisedLists],
    application: RuleApplication,
    shown: int,
) -> PreviewedList:
    catalogue, (was, made) = application.catalogue, both
    before, after = (list(_entries(lists, row, shown)) for lists in (was, made.lists))
    acted = made.acted[made.acted[:, 0] == row, 1].tolist()
    return PreviewedList(
        catalogue.ids.ids[row],
        catalogue.title[row],
        n_new,
        _named(before, after, catalogue),
        _named(after, before, catalogue),
        tuple(application.rules.rules[number].name for number in acted),
    )


def _entries(lists: RelatedLists, row: int, shown: int) -> Iterator[tuple[int, int]]:
    """Row and evidence of the first entries of one list."""
    first = lists.of(row)[:shown]
    yield from zip(first.rows.tolist(), first.evidence.tolist(), strict=True)


def _named(
    entries: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]], catalogue: Catalogue
) -> tuple[PreviewedEntry, ...]:
    there = {row for row, _ in others}
    return tuple(
        PreviewedEntry(catalogue.ids.ids[row], catalogue.title[row], EVIDENCE[code], row in there)
        for row, code in entries
    )
