"""Releases: which builds there are, how they differ, and letting a held one go live."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender import pipeline
from recommender.artifacts.runs import Run, all_runs, find_run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build, read_catalogue, related_lists
from recommender.core.catalogue import Catalogue
from recommender.core.comparison import Comparison, K, compare, own_top
from recommender.core.generation import Generation
from recommender.core.lists import NamedLists
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, StoreUnavailable
from recommender.publishing.publisher import Publisher

MOST_CHANGED = 20


@dataclass(frozen=True, slots=True)
class Release:
    """A build with the number under which it was, or may be, published, and why it was held."""

    number: int
    role: str
    build: Artifact
    held: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list as people compare it; `stays` where the other list has it too."""

    item: str
    title: str
    stays: bool


@dataclass(frozen=True, slots=True)
class ChangedList:
    """The first ten of one item's list before and after; `kept` is the share that stays."""

    item: str
    title: str
    kept: float
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """An item that entered the first five of many lists: of how many it was, and is, one."""

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


def release(store: ArtifactStore, publisher: Publisher, name: str) -> Release:
    """The release that a number, `live`, `previous` or `held` (the newest) means.

    Raises: ConfigError naming what there is; ArtifactError where its artifacts are gone.
    """
    generations = {str(found.id): found for found in publisher.generations()}
    by_role = {str(found.role): found for found in generations.values() if found.role}
    found = by_role.get(name) if name in {"live", "previous"} else generations.get(name)
    if found is not None and not found.base:
        return Release(found.id, found.role or found.state, find_build(store, found.lists_key))
    run = _held(store, publisher, name)
    if run is None or not run.build:
        waiting = [f"{run.number} {run.state}" for run in _waiting(store, publisher)]
        there = [f"{g.id} {g.role or g.state}" for g in generations.values() if not g.base]
        raise ConfigError(
            f"shop {store.shop}: there is no release {name!r:.40}; there are: "
            f"{', '.join(waiting + there) or 'none'}"
        )
    return Release(run.number, run.state, find_build(store, run.build), run.held)


def approve(
    store: ArtifactStore,
    publisher: Publisher,
    number: int | None = None,
    progress: Progress = silent,
) -> Generation:
    """Make a build live that a gate held: the newest, or that of the run `number`.

    Raises: ConfigError where none is held, or another went live since; StoreUnavailable.
    """
    waiting = _waiting(store, publisher)
    run = next((run for run in waiting if number in {None, run.number}), None)
    if run is None:
        there = ", ".join(str(run.number) for run in waiting) or "none"
        wanted = "no run" if number is None else f"run {number} is not"
        raise ConfigError(
            f"shop {store.shop}: {wanted} held and newer than what is live; waiting: {there}"
        )
    try:
        generation = pipeline.publish(store, run, publisher, progress=progress)
    except StoreUnavailable as error:
        run.save(store, error=str(error))
        raise
    run.save(store, state="published", generation=dataclasses.asdict(generation), error="")
    return generation


def differences(store: ArtifactStore, old: Release, new: Release) -> list[Difference]:
    """How the lists of two releases differ, by placement that both have. Raises: ArtifactError."""
    before, after = read_catalogue(store, old.build), read_catalogue(store, new.build)
    lists = {made.placement: made for made in related_lists(store, old.build)}
    return [
        _difference(
            (before, NamedLists(before.ids, lists[made.placement])),
            (after, NamedLists(after.ids, made)),
        )
        for made in related_lists(store, new.build)
        if made.placement in lists
    ]


def _held(store: ArtifactStore, publisher: Publisher, name: str) -> Run | None:
    if name == "held":
        return next(iter(_waiting(store, publisher)), None)
    return find_run(store, int(name)) if name.isdigit() and len(name) < 19 else None


def _waiting(store: ArtifactStore, publisher: Publisher) -> list[Run]:
    """The runs that are held and can still go live, newest first."""
    live = publisher.live()
    floor = live.id if live else 0
    return [run for run in all_runs(store) if run.state == "held" and run.number > floor]


def _difference(old: tuple[Catalogue, NamedLists], new: tuple[Catalogue, NamedLists]) -> Difference:
    (_, before), (catalogue, after) = old, new
    compared = compare(before, after)
    return Difference(
        placement=after.lists.placement,
        n_common=len(compared.kept),
        n_new=len(after.ids) - len(compared.kept),
        n_gone=len(before.ids) - len(compared.kept),
        n_changed=int((compared.kept < 1).sum()),
        n_reordered=int((compared.moved & (compared.kept == 1)).sum()),
        churn=compared.churn,
        orphaned=tuple(
            (after.ids.ids[row], catalogue.title[row]) for row in compared.orphaned.tolist()
        ),
        best_sellers=_most_changed(old, new, compared),
        jumps=tuple(
            Jump(
                after.ids.ids[row],
                catalogue.title[row],
                int(compared.links_before[row]),
                int(compared.links_after[row]),
            )
            for row in compared.jumped.tolist()
        ),
    )


def _most_changed(
    old: tuple[Catalogue, NamedLists], new: tuple[Catalogue, NamedLists], compared: Comparison
) -> tuple[ChangedList, ...]:
    """The best sellers whose lists changed, the most changed first, then the best selling."""
    place = {row: number for number, row in enumerate(compared.new_rows.tolist())}
    sellers = [row for row in new[1].lists.best_sellers.tolist() if row in place]
    kept = {row: float(compared.kept[place[row]]) for row in sellers}
    changed = sorted((row for row in sellers if kept[row] < 1), key=lambda row: kept[row])
    before, after = own_top(old[1].lists), own_top(new[1].lists)
    made = []
    for row in changed[:MOST_CHANGED]:
        was = _entries(old[0], before[compared.old_rows[place[row]]])
        now = _entries(new[0], after[row])
        made.append(
            ChangedList(
                new[1].ids.ids[row],
                new[0].title[row],
                kept[row],
                _marked(was, now),
                _marked(now, was),
            )
        )
    return tuple(made)


def _entries(catalogue: Catalogue, rows: np.ndarray) -> list[tuple[str, str]]:
    listed = [row for row in rows[:K].tolist() if row >= 0]
    return [(catalogue.ids.ids[row], catalogue.title[row]) for row in listed]


def _marked(
    entries: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]
) -> tuple[Entry, ...]:
    there = {item for item, _ in others}
    return tuple(Entry(item, title, item in there) for item, title in entries)
