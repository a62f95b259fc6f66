"""Diff: lists before and after, of two releases or of a rule set; and approving a held release."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender import pipeline
from recommender.artifacts.runs import Run, all_runs, find_run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build, read_catalogue, related_lists
from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.comparison import Comparison, K, compare
from recommender.core.generation import Generation
from recommender.core.lists import NamedLists, RelatedLists, first_rows
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE, Evidence
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, StoreUnavailable
from recommender.live.live_state import LiveState
from recommender.merchandising.matching import nearest
from recommender.merchandising.rule_set import RuleSet
from recommender.publishing.publisher import Publisher

MOST_CHANGED, MOST_PREVIEWED = 20, 50


@dataclass(frozen=True, slots=True)
class Release:
    """A build with the number under which it was, or may be, published, and why it was held."""

    number: int
    role: str
    build: Artifact
    held: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a compared list; `stays` if the other list has it too."""

    item: str
    title: str
    evidence: Evidence
    stays: bool = False


@dataclass(frozen=True, slots=True)
class ChangedList:
    """The first entries of one item's list before and after, and the rules that acted in it."""

    item: str
    title: str
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    rules: tuple[str, ...] = ()

    @property
    def n_new(self) -> int:
        """The number of entries that were not there before."""
        return sum(not entry.stays for entry in self.after)

    @property
    def kept(self) -> float:
        """The share of the longer list that stays."""
        longer = max(len(self.before), len(self.after))
        return sum(entry.stays for entry in self.after) / max(1, longer)


@dataclass(frozen=True, slots=True)
class Jump:
    """An item that entered the first five of many lists: the number of such lists."""

    item: str
    title: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How one placement differs: counts of items, and best sellers, the most changed first."""

    placement: str
    n_common: int
    n_new: int
    n_gone: int
    n_changed: int
    n_reordered: int
    churn: float
    orphaned: tuple[tuple[str, str], ...]
    best_sellers: tuple[ChangedList, ...]
    jumps: tuple[Jump, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """One placement before and after rules: how many lists differ in what a page shows."""

    placement: str
    shown: int
    n_lists: int
    n_changed: int
    lists: tuple[ChangedList, ...]


def release(store: ArtifactStore, publisher: Publisher, name: str) -> Release:
    """The release with a number, or the `live`, `previous` or (newest) `held` one.

    Raises: ConfigError, which lists the releases; ArtifactError if its artifacts are gone.
    """
    generations = {str(found.id): found for found in publisher.generations()}
    by_role = {str(found.role): found for found in generations.values() if found.role}
    found = by_role.get(name) if name in {"live", "previous"} else generations.get(name)
    if found is not None and not found.base:
        return Release(found.id, found.role or found.state, find_build(store, found.lists_key))
    waiting = _waiting(store, publisher)
    if name == "held":
        run = next(iter(waiting), None)
    else:
        run = find_run(store, int(name)) if name.isdigit() and len(name) < 19 else None
    if run is None or not run.build:
        there = [f"{held.number} {held.state}" for held in waiting]
        there += [f"{g.id} {g.role or g.state}" for g in generations.values() if not g.base]
        raise ConfigError(
            f"shop {store.shop}: there is no release {name!r:.40}; there are: "
            f"{', '.join(there) or 'none'}"
        )
    return Release(run.number, run.state, find_build(store, run.build), run.held)


def approve(
    store: ArtifactStore,
    publisher: Publisher,
    number: int | None = None,
    progress: Progress = silent,
    canary_share: float = 0.0,
) -> Generation:
    """Publish a build that a gate held, the newest or that of the run `number`; maybe as canary.

    Raises: ConfigError if none is held, or another went live since; StoreUnavailable.
    """
    waiting = _waiting(store, publisher)
    run = next((run for run in waiting if number in {None, run.number}), None)
    if run is None:
        there = ", ".join(str(one.number) for one in waiting) or "none"
        wanted = "no run" if number is None else f"run {number} is not"
        raise ConfigError(
            f"shop {store.shop}: {wanted} held and newer than the live generation; waiting: {there}"
        )
    try:
        generation = pipeline.publish(store, run, publisher, canary_share, progress)
    except StoreUnavailable as error:
        run.save(store, error=str(error))
        raise
    run.save(store, state="published", generation=dataclasses.asdict(generation), error="")
    return generation


def differences(store: ArtifactStore, old: Release, new: Release) -> list[Difference]:
    """How the lists of two releases differ, for placements in both. Raises: ArtifactError."""
    catalogues = read_catalogue(store, old.build), read_catalogue(store, new.build)
    earlier = {made.placement: made for made in related_lists(store, old.build)}
    return [
        _difference(catalogues, (earlier[made.placement], made))
        for made in related_lists(store, new.build)
        if made.placement in earlier
    ]


def preview(live: LiveState, rules: RuleSet, placement: str, items: Sequence[str] = ()) -> Preview:
    """The lists of a placement before and after rules: those of some items, or the most changed.

    `rules` are those valid on the day. Raises: ConfigError for an unknown item or placement.
    """
    if placement not in live.placements:
        names = ", ".join(live.placements)
        raise ConfigError(f"placement {placement!r:.40} is not live; there are {names}")
    effective, application = live.effective(placement), live.application(rules)
    shown, before = effective.placement.shown, effective.whole()
    made = application.applied(effective.placement, effective.lists)
    was, now = (first_rows(one.sizes, one.entries.rows, shown) for one in (before, made.lists))
    changed = (was != now).any(axis=1)
    if items:
        rows = _rows(live.catalogue, items)
    else:
        order = np.lexsort((-application.sold, -_n_new(was, now), ~changed))[:MOST_PREVIEWED]
        rows = order[changed[order]].tolist()
    catalogue = application.catalogue
    lists = []
    for row in rows:
        acted = made.acted[made.acted[:, 0] == row, 1].tolist()
        was_listed, listed = (_entries(catalogue, one, row, shown) for one in (before, made.lists))
        acting = tuple(application.rules.rules[number].name for number in acted)
        lists.append(_changed_list(catalogue, row, was_listed, listed, acting))
    return Preview(placement, shown, len(changed), int(changed.sum()), tuple(lists))


def _waiting(store: ArtifactStore, publisher: Publisher) -> list[Run]:
    """The runs that are held and can still go live, newest first."""
    floor = live.id if (live := publisher.live()) else 0
    return [run for run in all_runs(store) if run.state == "held" and run.number > floor]


def _difference(
    catalogues: tuple[Catalogue, Catalogue], lists: tuple[RelatedLists, RelatedLists]
) -> Difference:
    (before, after), (old, new) = catalogues, lists
    compared = compare(NamedLists(before.ids, old), NamedLists(after.ids, new))
    n_common = len(compared.kept)
    ids, titles = after.ids.ids, after.title
    links_before, links_after = compared.links_before.tolist(), compared.links_after.tolist()
    return Difference(
        placement=new.placement,
        n_common=n_common,
        n_new=len(after) - n_common,
        n_gone=len(before) - n_common,
        n_changed=int((compared.kept < 1).sum()),
        n_reordered=int((compared.moved & (compared.kept == 1)).sum()),
        churn=compared.churn,
        orphaned=tuple((ids[row], titles[row]) for row in compared.orphaned.tolist()),
        best_sellers=_best_sellers(catalogues, lists, compared),
        jumps=tuple(
            Jump(ids[row], titles[row], links_before[row], links_after[row])
            for row in compared.jumped.tolist()
        ),
    )


def _best_sellers(
    catalogues: tuple[Catalogue, Catalogue],
    lists: tuple[RelatedLists, RelatedLists],
    compared: Comparison,
) -> tuple[ChangedList, ...]:
    """The best sellers whose own entries changed, the most changed first, then the best selling."""
    (before, after), (old, new) = catalogues, lists
    place = {row: number for number, row in enumerate(compared.new_rows.tolist())}
    changed = [
        row for row in new.best_sellers.tolist() if row in place and compared.kept[place[row]] < 1
    ]
    changed.sort(key=lambda row: compared.kept[place[row]])
    return tuple(
        _changed_list(
            after,
            row,
            _own_entries(before, old, int(compared.old_rows[place[row]])),
            _own_entries(after, new, row),
        )
        for row in changed[:MOST_CHANGED]
    )


def _changed_list(
    catalogue: Catalogue,
    row: int,
    before: Sequence[Entry],
    after: Sequence[Entry],
    rules: tuple[str, ...] = (),
) -> ChangedList:
    stay = {entry.item for entry in before} & {entry.item for entry in after}

    def marked(entries: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(replace(entry, stays=entry.item in stay) for entry in entries)

    item, title = catalogue.ids.ids[row], catalogue.title[row]
    return ChangedList(item, title, marked(before), marked(after), rules)


def _entries(catalogue: Catalogue, lists: RelatedLists, row: int, k: int) -> list[Entry]:
    """The first k entries of one list."""
    first = lists.of(row)[:k]
    return [
        Entry(catalogue.ids.ids[listed], catalogue.title[listed], EVIDENCE[code])
        for listed, code in zip(first.rows.tolist(), first.evidence.tolist(), strict=True)
    ]


def _own_entries(catalogue: Catalogue, lists: RelatedLists, row: int) -> list[Entry]:
    """The first ten entries of one list, without best sellers that fill it up."""
    return [one for one in _entries(catalogue, lists, row, K) if one.evidence != "popular"]


def _rows(catalogue: Catalogue, items: Sequence[str]) -> list[int]:
    for item in items:
        if item not in catalogue.ids:
            near = nearest(item, catalogue.ids)
            hint = f"; did you mean {near!r}?" if near else ""
            raise ConfigError(f"item {item!r:.60} is not in the live lists{hint}")
    return [catalogue.ids.row(item) for item in dict.fromkeys(items)]


def _n_new(was: Rows, now: Rows) -> NDArray[np.int64]:
    """The number of entries (n,) of each list (n, shown) that were not there before."""
    known = np.zeros(now.shape, dtype=bool)
    for column in range(was.shape[1]):
        known |= now == was[:, column, None]
    return np.asarray(((now != NONE) & ~known).sum(axis=1))
