"""Overlays: changes to a full generation that are published between two reindexes.

The record of an overlay is an artifact whose key is kept with the overlay's generation. It names
the build below, the refreshed items with their list deltas, and a snapshot of the merchandisers'
rules in force. Published lists are always composed of these three, so that a change to one of them
keeps the others.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.build.contents import chosen_lists, find_build, folded, read_ids, related_lists
from recommender.core.arrays import Columns, Rows
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import NamedLists, RelatedLists
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError
from recommender.live.list_deltas import ListDelta, apply_delta, prefixed, with_prefix
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import SomeLists
from recommender.serving.codec import LEVELS, Pointer

OVERLAY = ("overlay", 1)
_ITEMS, _CONTENT, _PROVISIONAL = "items", "content", "provisional"

Rewrite = Callable[[NamedLists], NamedLists]
"""Applies the merchandisers' rules of a snapshot to the lists of one placement."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Items (k,) refreshed since the build, with their content by origin, and their list deltas.

    `provisional` (k,) marks items without interactions; `deltas` has one delta per placement.
    """

    items: Catalogue
    content: Mapping[str, Embeddings]
    provisional: NDArray[np.bool_]
    deltas: tuple[ListDelta, ...]

    def joined(self, later: "Refreshed") -> "Refreshed":
        """These items and those refreshed later; the later state of an item counts."""
        stays = np.array([item not in later.items.ids for item in self.items.ids], dtype=bool)
        behind = np.arange(len(self.items), len(self.items) + len(later.items))
        ours = {delta.placement: delta for delta in self.deltas}
        return Refreshed(
            items=self.items.drawn(later.items, np.concatenate([np.flatnonzero(stays), behind])),
            content={
                name: Embeddings(
                    np.vstack([own.matrix[stays], later.content[name].matrix]),
                    np.concatenate([own.support[stays], later.content[name].support]),
                )
                for name, own in self.content.items()
            },
            provisional=np.concatenate([self.provisional[stays], later.provisional]),
            deltas=tuple(
                ours[delta.placement].joined(delta) if delta.placement in ours else delta
                for delta in later.deltas
            ),
        )


@dataclass(frozen=True, slots=True)
class OverlayRecord:
    """The changes to the build `base`: refreshed items, and rules as plain JSON."""

    base: str
    refreshed: Refreshed | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)

    def with_refreshed(self, later: Refreshed) -> "OverlayRecord":
        """The record with further refreshed items and the same rules."""
        return replace(
            self, refreshed=later if self.refreshed is None else self.refreshed.joined(later)
        )

    def with_rules(self, rules: Mapping[str, Any]) -> "OverlayRecord":
        """The record with other rules and the same refreshed items."""
        return replace(self, rules=dict(rules))

    def delta(self, placement: str) -> ListDelta | None:
        """The delta of a placement, None if there is none."""
        deltas = () if self.refreshed is None else self.refreshed.deltas
        return next((one for one in deltas if one.placement == placement), None)

    @property
    def provisional(self) -> frozenset[str]:
        """The items that had no interactions when they were refreshed."""
        if self.refreshed is None:
            return frozenset()
        return frozenset(compress(self.refreshed.items.ids, self.refreshed.provisional.tolist()))

    def write(self, store: ArtifactStore) -> Artifact:
        """Write the record as an artifact whose key covers all of it. Raises: ArtifactError."""
        columns: Columns = {}
        made = self.refreshed
        if made is not None:
            columns |= prefixed(_ITEMS, made.items.columns())
            for origin, embeddings in made.content.items():
                columns |= prefixed(f"{_CONTENT}.{origin}", embeddings.columns())
            columns[_PROVISIONAL] = made.provisional
            for number, delta in enumerate(made.deltas):
                columns |= prefixed(str(number), delta.columns())
        summary = {
            "base": self.base,
            "rules": dict(self.rules),
            "patches": [delta.plain() for delta in made.deltas] if made else [],
        }
        key = artifact_key(*OVERLAY, summary, {"columns": _digest(columns)})
        return store.write(OVERLAY[0], key, columns, summary)

    @classmethod
    def read(cls, store: ArtifactStore, key: str) -> "OverlayRecord":
        """Undo `write`. Raises: ArtifactError if the record is gone."""
        found = store.require(OVERLAY[0], key)
        summary, columns = found.summary, found.columns()
        refreshed = None
        if _PROVISIONAL in columns:
            refreshed = Refreshed(
                items=Catalogue.from_columns(with_prefix(_ITEMS, columns)),
                content=_content(columns),
                provisional=columns[_PROVISIONAL],
                deltas=tuple(
                    ListDelta.from_columns(plain, with_prefix(str(number), columns))
                    for number, plain in enumerate(summary["patches"])
                ),
            )
        return cls(summary["base"], refreshed, summary["rules"])


def live_record(store: ArtifactStore, layers: Sequence[Generation]) -> OverlayRecord:
    """The record of the live layers; an empty one if only a full generation is live.

    Raises: ArtifactError if the record is gone, or the overlay was published without one.
    """
    *overlays, full = layers
    if not overlays:
        return OverlayRecord(full.lists_key)
    if not overlays[0].lists_key:
        raise ArtifactError(
            f"overlay {overlays[0].id} was published without a record; recommender rollback "
            f"{full.id} removes it"
        )
    return OverlayRecord.read(store, overlays[0].lists_key)


def base_lists(store: ArtifactStore, record: OverlayRecord) -> list[NamedLists]:
    """The lists that were chosen for the build below, before rules. Raises: ArtifactError."""
    build = find_build(store, record.base)
    ids = read_ids(store, build)
    return [NamedLists(ids, lists) for lists in chosen_lists(store, build)]


def combined_catalogue(base: Catalogue, record: OverlayRecord) -> Catalogue:
    """The items of the build, as last refreshed, then the new refreshed items."""
    if record.refreshed is None:
        return base
    return base.overlaid(record.refreshed.items)


def composed(
    base: Sequence[NamedLists], record: OverlayRecord, rewrite: Rewrite | None = None
) -> list[NamedLists]:
    """The lists of all items by placement: the chosen lists `base`, then deltas, then rules.

    Equal arguments give equal lists, whatever overlay was published before.
    """
    made = list(base)
    if record.refreshed is not None:
        known, refreshed = base[0].ids, record.refreshed.items.ids
        ids = ItemIds((*known.ids, *(item for item in refreshed if item not in known)))
        made = [
            NamedLists(ids, apply_delta(lists, ids, record.delta(lists.lists.placement)))
            for lists in base
        ]
    return made if rewrite is None else [rewrite(lists) for lists in made]


def changed(base: NamedLists, made: NamedLists) -> SomeLists:
    """The lists that differ from those of the build; an overlay has these."""
    was, now = base.lists.best_sellers, made.lists.best_sellers
    return SomeLists(
        made.ids, made.lists, _differing(base.lists, made.lists), not np.array_equal(was, now)
    )


def publish_overlay(
    store: ArtifactStore,
    publisher: Publisher,
    record: OverlayRecord,
    *,
    base: Sequence[NamedLists],
    seen: Pointer,
    rewrite: Rewrite | None = None,
) -> tuple[Generation, list[NamedLists]]:
    """Publish the lists of a record over the full generation that the pointer `seen` names.

    `base` are the lists that were chosen for that generation, as `base_lists` reads them. Only the
    lists that differ from its published ones are written; if none differs, the live overlay is
    removed. Returns the overlay or, without one, the full generation, and the lists of all items.

    Raises: ArtifactError if the record cannot be written; StoreUnavailable, also if the pointer
    has moved since. On an error the live lists do not change.
    """
    made = composed(base, record, rewrite)
    below = _published(store, find_build(store, record.base), base)
    differing = [changed(*pair) for pair in zip(below, made, strict=True)]
    written = record.write(store)
    generation = publisher.lay_over(
        [some for some in differing if len(some)],
        seen=seen,
        lists_key=written.key,
    )
    return generation, made


def _published(
    store: ArtifactStore, build: Artifact, chosen: Sequence[NamedLists]
) -> Sequence[NamedLists]:
    """The lists with which the build was published: the chosen lists, or those after its rules."""
    if not folded(build):
        return chosen
    ids = chosen[0].ids
    return [NamedLists(ids, lists) for lists in related_lists(store, build)]


def _differing(base: RelatedLists, made: RelatedLists) -> Rows:
    """The rows (r,) whose published lists differ, and the rows that only the second has."""
    differs = np.ones(len(made), dtype=bool)
    differs[: len(base)] = base.sizes != made.sizes[: len(base)]
    alike = np.flatnonzero(~differs)
    ours, theirs = base.places(alike), made.places(alike)
    was, now = base.entries[ours], made.entries[theirs]
    other = (was.rows != now.rows) | (was.evidence != now.evidence)
    other |= np.rint(LEVELS * was.scores) != np.rint(LEVELS * now.scores)
    owners = np.repeat(alike, base.sizes[alike])
    differs[owners[other]] = True
    return np.flatnonzero(differs).astype(np.int32)


def _content(columns: Columns) -> dict[str, Embeddings]:
    """The embeddings of refreshed items by origin; until 0.1 the only one was `text`."""
    found = with_prefix(_CONTENT, columns)
    names = dict.fromkeys(name.partition(".")[0] for name in found)
    content = {name: Embeddings.from_columns(with_prefix(name, found)) for name in names}
    return content or {"text": Embeddings.from_columns(with_prefix("text", columns))}


def _digest(columns: Columns) -> str:
    digest = hashlib.sha256()
    for name in sorted(columns):
        array = np.ascontiguousarray(columns[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
