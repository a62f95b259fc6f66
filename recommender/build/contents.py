"""Builds: what a run made, read back from its artifacts."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.core.arrays import Columns, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.comparison import K, shared
from recommender.core.generation import Measures
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.lists import (
    Entries,
    NamedLists,
    RelatedLists,
    first_rows,
    joined,
    offsets_of,
    ranks_of,
)
from recommender.core.recipe import Placement, Recipe
from recommender.ranking.chooser import OF_TITLES, Chosen, depth_before_bounding, stages_of
from recommender.ranking.hubness import arranged, most_lists

READ = ("read", 4)
LISTS = ("lists", 7)
BUILD = ("build", 4)
RULE_SET = ("rule-book", 1)
_CATALOGUE, _INTERACTIONS = "catalogue.", "interactions."
_OF_LISTS = "sizes", "own", "sold"
Count = TypeVar("Count", int, float)


def find_build(artifacts: ArtifactStore, key: str) -> Artifact:
    """The artifact of a published build. Raises: ArtifactError where it is no longer there."""
    return artifacts.require(BUILD[0], key)


def read_catalogue(artifacts: ArtifactStore, build: Artifact) -> Catalogue:
    """The catalogue of a build. Raises: ArtifactError where it is no longer there."""
    return catalogue_of(artifacts.require(READ[0], build.summary["read"]))


def read_interactions(artifacts: ArtifactStore, build: Artifact) -> Interactions:
    """The interactions of a build. Raises: ArtifactError where they are no longer there."""
    return interactions_of(artifacts.require(READ[0], build.summary["read"]))


def read_ids(artifacts: ArtifactStore, build: Artifact) -> ItemIds:
    """The ids of a build's items alone. Raises: ArtifactError where they are no longer there."""
    read = artifacts.require(READ[0], build.summary["read"])
    names = [f"{_CATALOGUE}{name}" for name in ItemIds(()).columns()]
    return ItemIds.from_columns(_unprefixed(read.columns(*names), _CATALOGUE))


def related_lists(artifacts: ArtifactStore, build: Artifact) -> list[RelatedLists]:
    """The lists of a build, one per placement. Raises: ArtifactError."""
    return [read_lists(artifacts, build, name) for name in placements(build)]


def chosen_lists(artifacts: ArtifactStore, build: Artifact) -> list[RelatedLists]:
    """The lists of a build as they were before merchandisers' rules. Raises: ArtifactError."""
    return [chosen_list(artifacts, build, name) for name in placements(build)]


def chosen_list(artifacts: ArtifactStore, build: Artifact, placement: str) -> RelatedLists:
    """The lists of one placement before merchandisers' rules. Raises: ArtifactError."""
    return _joined(artifacts, chosen_keys(build)[placement], placement)


def folded(build: Artifact) -> bool:
    """Whether merchandisers' rules were applied to the lists of a build."""
    return "chosen" in build.summary


def chosen_keys(build: Artifact) -> Mapping[str, Sequence[str]]:
    """The keys of the shards of each placement's lists before merchandisers' rules."""
    keys: Mapping[str, Sequence[str]] = build.summary.get("chosen", build.summary["lists"])
    return keys


def read_lists(artifacts: ArtifactStore, build: Artifact, placement: str) -> RelatedLists:
    """The lists of one placement. Raises: ArtifactError where they are no longer there."""
    return _joined(artifacts, build.summary["lists"][placement], placement)


def _joined(artifacts: ArtifactStore, keys: Sequence[str], placement: str) -> RelatedLists:
    parts = [artifacts.require(LISTS[0], key).columns() for key in keys]
    return RelatedLists(
        placement,
        offsets_of(np.concatenate([part["sizes"] for part in parts])),
        Entries.concatenated(map(Entries.from_columns, parts)),
        parts[0]["best_sellers"],
    )


def lists_and_own(
    artifacts: ArtifactStore, build: Artifact, placement: str
) -> tuple[RelatedLists, NDArray[np.bool_]]:
    """The lists of one placement, and which entries (e,) are their own. Raises: ArtifactError."""
    lists = read_lists(artifacts, build, placement)
    parts = [artifacts.require(LISTS[0], key) for key in build.summary["lists"][placement]]
    own = np.concatenate([part.columns("own")["own"] for part in parts])
    return lists, ranks_of(lists.sizes) < own[lists.owners]


def part_of_lists(
    artifacts: ArtifactStore, build: Artifact, placement: str, shard: int
) -> tuple[RelatedLists, range]:
    """One shard of a placement's lists, all others empty, and the rows that it holds."""
    part = artifacts.require(LISTS[0], build.summary["lists"][placement][shard]).columns()
    start = shard * build.summary["shard_items"]
    return shard_of_lists(placement, part, start, build.summary["n_items"])


def shard_of_lists(
    placement: str, part: Columns, start: int, n_items: int
) -> tuple[RelatedLists, range]:
    """The columns of a shard that begins at row `start`, all other lists empty, and its rows."""
    rows = range(start, start + len(part["sizes"]))
    sizes = np.zeros(n_items, dtype=np.int64)
    sizes[rows.start : rows.stop] = part["sizes"]
    entries = Entries.from_columns(part)
    return RelatedLists(placement, offsets_of(sizes), entries, part["best_sellers"]), rows


def lists_with_ids(artifacts: ArtifactStore, build: Artifact) -> list[NamedLists]:
    """The lists of a build with the ids behind their rows. Raises: ArtifactError."""
    ids = read_ids(artifacts, build)
    return [NamedLists(ids, lists) for lists in related_lists(artifacts, build)]


def placements(build: Artifact) -> list[str]:
    """The names of a build's placements, in the recipe's order."""
    return [str(placement["name"]) for placement in build.summary["recipe"]["placements"]]


def counted(lists: Iterable[Sequence[Artifact]], n_items: int, n_events: int) -> Mapping[str, Any]:
    """What is counted of a build, from the shards of each placement's lists."""
    filled, coverage, entries = [1.0], [1.0], 0
    for parts in lists:
        listed, full = np.zeros(n_items, dtype=bool), 0
        for part in parts:
            columns = part.columns("sizes", "rows")
            listed[columns["rows"]] = True
            full += int((columns["sizes"] > 0).sum())
            entries += len(columns["rows"])
        filled.append(full / n_items)
        coverage.append(float(listed.mean()))
    return dataclasses.asdict(Measures(n_items, n_events, entries, min(filled), min(coverage)))


def health(
    chosen: Mapping[str, Sequence[Artifact]],
    lists: Mapping[str, Sequence[Artifact]],
    recipe: Recipe,
) -> dict[str, Any]:
    """What people should know of a build's placements, from the shards of their lists.

    `chosen` are those before merchandisers' rules, `lists` those that are published.

    `short`: by placement, how many lists have fewer entries of their own than the placement is
    deep, and how many candidates each stage dropped of these, on average. `overlap`: for any two
    placements, the mean share of the longer first ten that is in the other's too. `same_title`: by
    placement, how many candidates were left out because their title was in the list already.
    """
    short = {one.name: _short(chosen[one.name], stages_of(one)) for one in recipe.placements}
    tops = {name: _tops(parts) for name, parts in lists.items()}
    overlap = [
        {"placements": [one, other], "share": round(shared(tops[one], tops[other]), 4)}
        for one, other in combinations(tops, 2)
    ]
    collapsed = {
        name: sum(int(part.columns("same_title")["same_title"][0]) for part in parts)
        for name, parts in chosen.items()
    }
    return {"short": short, "overlap": overlap, "same_title": collapsed}


def dropped_of(
    artifacts: ArtifactStore, build: Artifact, placement: Placement, row: int
) -> dict[str, int]:
    """How many candidates of an item each stage dropped; empty where its list is not short.

    It is empty too for a build that another version made with other stages.
    Raises: ArtifactError where the lists are no longer there.
    """
    keys, size = chosen_keys(build)[placement.name], build.summary["shard_items"]
    part = artifacts.require(LISTS[0], keys[row // size]).columns("own", "dropped")
    is_short = part["own"] < placement.depth
    if not is_short[row % size]:
        return {}
    dropped = part["dropped"][int(is_short[: row % size].sum())].tolist()
    stages = stages_of(placement)
    return _by_stage(stages, dropped) if len(stages) == len(dropped) else {}


def _short(parts: Sequence[Artifact], stages: Sequence[str]) -> dict[str, Any]:
    dropped = np.concatenate([part.columns("dropped")["dropped"] for part in parts])
    means = (dropped.sum(axis=0) / max(len(dropped), 1)).round(2).tolist()
    return {"lists": len(dropped), "by": _by_stage(stages, means)}


def _by_stage(stages: Sequence[str], counts: Sequence[Count]) -> dict[str, Count]:
    """The counts that are above 0; a filter that is used twice counts as one."""
    by: dict[str, Count] = {}
    for stage, count in zip(stages, counts, strict=True):
        if count > 0:
            by[stage] = by[stage] + count if stage in by else count
    return by


def _tops(parts: Sequence[Artifact]) -> Rows:
    """The first ten entries of every list (n, 10), best sellers behind it among them."""
    columns = [part.columns("sizes", "rows") for part in parts]
    return np.concatenate([first_rows(one["sizes"], one["rows"], K) for one in columns])


def read_columns(catalogue: Catalogue, interactions: Interactions) -> Columns:
    """What was read as the columns of one artifact."""
    return {_CATALOGUE + name: array for name, array in catalogue.columns().items()} | {
        _INTERACTIONS + name: array for name, array in interactions.columns().items()
    }


def catalogue_of(read: Artifact) -> Catalogue:
    """The catalogue that was read."""
    return Catalogue.from_columns(_part(read, _CATALOGUE))


def interactions_of(read: Artifact) -> Interactions:
    """The interactions that were read."""
    return Interactions.from_columns(_part(read, _INTERACTIONS))


def list_columns(chosen: Iterable[Chosen], depth: int) -> Columns:
    """Blocks of lists as the columns of one shard.

    The first `own` (n,) entries of a list are not best sellers that fill it up; `dropped` (s,
    stages) holds for the lists with fewer than `depth` of them, in row order, how many of their
    candidates each stage dropped, `same_title` (1,) how many had a title of their list.
    """
    parts = list(chosen)
    return entry_columns(part.entries for part in parts) | {
        "own": np.concatenate([part.own for part in parts]),
        "sold": np.concatenate([part.sold for part in parts]),
        "dropped": np.concatenate([part.dropped[part.own < depth] for part in parts]),
        "same_title": np.array([sum(int(part.dropped[:, OF_TITLES].sum()) for part in parts)]),
    }


def entry_columns(blocks: Iterable[Entries]) -> Columns:
    """Blocks of lists (b, k) as sizes and columns of entries."""
    sizes, entries = joined(blocks)
    return {"sizes": sizes, **entries.columns()}


def bounded_columns(wide: Sequence[Columns], placement: Placement) -> Iterator[Columns]:
    """The columns of all shards of lists twice as deep, cut to the depth and to the hub share."""
    numbers = {name: np.concatenate([part[name] for part in wide]) for name in _OF_LISTS}
    sizes, own = numbers["sizes"], numbers["own"]
    entries = Entries.concatenated([Entries.from_columns(part) for part in wide])
    most = most_lists(placement, len(sizes))
    places, owners, scores = arranged(**numbers, entries=entries, placement=placement, most=most)
    is_own = ranks_of(sizes)[places] < own[owners]
    entries = dataclasses.replace(entries[places], scores=scores)
    start, first = 0, 0
    for part in wide:
        n_lists = len(part["sizes"])
        end = first + int(np.searchsorted(owners[first:], start + n_lists))
        kept = slice(first, end)
        owner = owners[kept] - start
        own_kept = np.bincount(owner[is_own[kept]], minlength=n_lists)
        dropped = np.zeros((n_lists, part["dropped"].shape[1]), dtype=np.int32)
        dropped[part["own"] < depth_before_bounding(placement)] = part["dropped"]
        dropped[:, -1] = part["own"] - own_kept
        yield {
            "sizes": np.bincount(owner, minlength=n_lists),
            **entries[kept].columns(),
            "own": own_kept,
            "dropped": dropped[own_kept < placement.depth],
            "best_sellers": part["best_sellers"],
            "same_title": part["same_title"],
        }
        start, first = start + n_lists, end


def _part(read: Artifact, prefix: str) -> Columns:
    names = [name for name in read.column_names if name.startswith(prefix)]
    return _unprefixed(read.columns(*names), prefix)


def _unprefixed(columns: Columns, prefix: str) -> Columns:
    return {name.removeprefix(prefix): array for name, array in columns.items()}
