"""Builds: what a run made, read back from its artifacts."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.arrays import Columns
from recommender.artifacts import Artifact, ArtifactStore
from recommender.catalogue import Catalogue
from recommender.comparison import Lists
from recommender.gates import Measures
from recommender.ids import ItemIds
from recommender.interactions import Interactions
from recommender.neighbours import Neighbours, RelatedLists

READ = ("read", 3)
LISTS = ("lists", 3)
BUILD = ("build", 2)
RULE_BOOK = ("rule-book", 1)
_CATALOGUE = "catalogue."
_INTERACTIONS = "interactions."
_LIST_COLUMNS = ("sizes", "rows", "scores", "evidence")


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
    keys = chosen_keys(build)
    return [_joined(artifacts, keys[name], name) for name in placements(build)]


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
    columns = {name: np.concatenate([part[name] for part in parts]) for name in _LIST_COLUMNS}
    offsets = _offsets(columns.pop("sizes"))
    return RelatedLists(placement, offsets, **columns, best_sellers=parts[0]["best_sellers"])


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
    columns = [part[name] for name in (*_LIST_COLUMNS[1:], "best_sellers")]
    return RelatedLists(placement, _offsets(sizes), *columns), rows


def lists_with_ids(artifacts: ArtifactStore, build: Artifact) -> list[Lists]:
    """The lists of a build with the ids behind their rows. Raises: ArtifactError."""
    ids = read_ids(artifacts, build)
    return [Lists(ids, lists) for lists in related_lists(artifacts, build)]


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


def list_columns(chosen: Iterator[tuple[Neighbours, NDArray[np.uint8]]]) -> Columns:
    """Blocks of neighbours and their evidence as the columns of one shard."""
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _LIST_COLUMNS}
    for neighbours, codes in chosen:
        found = neighbours.found
        parts["sizes"].append(found.sum(axis=1, dtype=np.int64))
        parts["rows"].append(neighbours.rows[found])
        parts["scores"].append(neighbours.scores[found])
        parts["evidence"].append(codes[found])
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _offsets(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def _part(read: Artifact, prefix: str) -> Columns:
    names = [name for name in read.column_names if name.startswith(prefix)]
    return _unprefixed(read.columns(*names), prefix)


def _unprefixed(columns: Columns, prefix: str) -> Columns:
    return {name.removeprefix(prefix): array for name, array in columns.items()}
