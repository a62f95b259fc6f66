"""Overlays: what is laid over a full generation until the next reindex folds it in.

The record of an overlay is an artifact, and the overlay's generation names its key. It names the
build below, and holds what was laid over that: refreshed items with their own lists and the lists
that they enter, and a snapshot of the merchandisers' rules in force. What is published is always
composed of these three anew, so that a change to one of them keeps the others.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from recommender.live.list_deltas import ListDelta, apply_delta
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import SomeLists
from recommender.serving.codec import LEVELS, Pointer

OVERLAY = ("overlay", 1)
_ITEMS, _CONTENT, _PROVISIONAL = "items.", "content.", "provisional"

Rewrite = Callable[[NamedLists], NamedLists]
"""The merchandisers' rules of a snapshot: the lists of one placement before and after them."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Items that were refreshed since the build: what is known of them, and what they change.

    `items` and `content`, by origin, are theirs; `provisional` (k,) marks those of which no
    interaction is known yet; `deltas` holds one for each placement.
    """

    items: Catalogue
    content: Mapping[str, Embeddings]
    provisional: NDArray[np.bool_]
    deltas: tuple[ListDelta, ...]

    def joined(self, later: "Refreshed") -> "Refreshed":
        """These and what was refreshed later; of an item in both, the later counts."""
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
    """What is laid over the build `base`: refreshed items, and rules as plain JSON."""

    base: str
    refreshed: Refreshed | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)

    def with_refreshed(self, later: Refreshed) -> "OverlayRecord":
        """The record with further items refreshed; rules stay."""
        return replace(
            self, refreshed=later if self.refreshed is None else self.refreshed.joined(later)
        )

    def with_rules(self, rules: Mapping[str, Any]) -> "OverlayRecord":
        """The record with other rules; refreshed items stay."""
        return replace(self, rules=dict(rules))

    def delta(self, placement: str) -> ListDelta | None:
        """What refreshed items change in a placement, None where nothing is known to change."""
        deltas = () if self.refreshed is None else self.refreshed.deltas
        return next((one for one in deltas if one.placement == placement), None)

    @property
    def provisional(self) -> frozenset[str]:
        """The items of which no interaction was known when they were refreshed."""
        if self.refreshed is None:
            return frozenset()
        return frozenset(compress(self.refreshed.items.ids, self.refreshed.provisional.tolist()))

    def write(self, store: ArtifactStore) -> Artifact:
        """Write the record as an artifact, whose key covers all of it. Raises: ArtifactError."""
        columns: Columns = {}
        if self.refreshed is not None:
            made = self.refreshed
            columns |= {f"{_ITEMS}{name}": array for name, array in made.items.columns().items()}
            for origin, embeddings in made.content.items():
                prefix = f"{_CONTENT}{origin}."
                columns |= {f"{prefix}{name}": each for name, each in embeddings.columns().items()}
            columns[_PROVISIONAL] = made.provisional
            for number, delta in enumerate(made.deltas):
                columns |= {f"{number}.{name}": array for name, array in delta.columns().items()}
        deltas = [] if self.refreshed is None else self.refreshed.deltas
        summary = {
            "base": self.base,
            "rules": dict(self.rules),
            "patches": [delta.plain() for delta in deltas],
        }
        key = artifact_key(*OVERLAY, summary, {"columns": _digest(columns)})
        return store.write(OVERLAY[0], key, columns, summary)

    @classmethod
    def read(cls, store: ArtifactStore, key: str) -> "OverlayRecord":
        """Undo `write`. Raises: ArtifactError where the record is no longer there."""
        found = store.require(OVERLAY[0], key)
        summary, columns = found.summary, found.columns()
        refreshed = None
        if _PROVISIONAL in columns:
            refreshed = Refreshed(
                items=Catalogue.from_columns(_part(columns, _ITEMS)),
                content=_content(columns),
                provisional=columns[_PROVISIONAL],
                deltas=tuple(
                    ListDelta.from_columns(plain, _part(columns, f"{number}."))
                    for number, plain in enumerate(summary["patches"])
                ),
            )
        return cls(summary["base"], refreshed, summary["rules"])


def live_record(store: ArtifactStore, layers: Sequence[Generation]) -> OverlayRecord:
    """The record of the layers that are live; an empty one where only a full generation is.

    Raises: ArtifactError where the record is no longer there, or the overlay was laid by something
    that wrote none.
    """
    *overlays, full = layers
    if not overlays:
        return OverlayRecord(full.lists_key)
    if not overlays[0].lists_key:
        raise ArtifactError(
            f"overlay {overlays[0].id} was published without a record; recommender rollback "
            f"{full.id} takes it away"
        )
    return OverlayRecord.read(store, overlays[0].lists_key)


def base_lists(store: ArtifactStore, record: OverlayRecord) -> list[NamedLists]:
    """The lists that were chosen for the build below, before rules. Raises: ArtifactError."""
    build = find_build(store, record.base)
    ids = read_ids(store, build)
    return [NamedLists(ids, lists) for lists in chosen_lists(store, build)]


def combined_ids(base: ItemIds, record: OverlayRecord) -> ItemIds:
    """The items of the build, then those that were refreshed and are new."""
    if record.refreshed is None:
        return base
    new = (item for item in record.refreshed.items.ids if item not in base)
    return ItemIds((*base.ids, *new))


def combined_catalogue(base: Catalogue, record: OverlayRecord) -> Catalogue:
    """What is known of all items, in the order of `combined_ids`; a refreshed item's row is new."""
    if record.refreshed is None:
        return base
    return base.overlaid(record.refreshed.items)


def composed(
    base: Sequence[NamedLists], record: OverlayRecord, rewrite: Rewrite | None = None
) -> list[NamedLists]:
    """The lists of all items, by placement: of the build, then what was refreshed, then rules.

    `base` holds the lists of the build as they were chosen. Pure: equal arguments, equal lists,
    whatever lay over the build before.
    """
    made = list(base)
    if record.refreshed is not None:
        deltas = {delta.placement: delta for delta in record.refreshed.deltas}
        ids = combined_ids(base[0].ids, record)
        made = [
            NamedLists(ids, apply_delta(lists, ids, deltas.get(lists.lists.placement)))
            for lists in base
        ]
    return made if rewrite is None else [rewrite(lists) for lists in made]


def changed(base: NamedLists, made: NamedLists) -> SomeLists:
    """The lists that are not those of the build, which are what an overlay holds."""
    was, now = base.lists.best_sellers, made.lists.best_sellers
    return SomeLists(
        made.ids, made.lists, _differing(base.lists, made.lists), not np.array_equal(was, now)
    )


def lay(
    store: ArtifactStore,
    publisher: Publisher,
    record: OverlayRecord,
    *,
    base: Sequence[NamedLists],
    seen: Pointer,
    rewrite: Rewrite | None = None,
) -> tuple[Generation, list[NamedLists]]:
    """Publish what a record holds over the full generation that `seen` points to.

    `base` are the lists that were chosen for that, as `base_lists` reads them. Only what differs
    from what it was published with is laid over it. Where nothing does, an overlay that is there
    is removed. Returns the overlay or, without one, the full generation, and the lists of all
    items.

    Raises: ArtifactError where the record cannot be written; StoreUnavailable, also where the
    pointer was moved since it was seen: what was live stays live.
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
    """What the build was published with: the chosen lists, or what its rules made of them."""
    if not folded(build):
        return chosen
    ids = chosen[0].ids
    return [NamedLists(ids, lists) for lists in related_lists(store, build)]


def _differing(base: RelatedLists, made: RelatedLists) -> Rows:
    """The rows (r,) whose lists differ as they are published, and those only the second has."""
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
    """The embeddings of refreshed items by origin; until 0.1 there was only the text's."""
    found = _part(columns, _CONTENT)
    names = dict.fromkeys(name.partition(".")[0] for name in found)
    content = {name: Embeddings.from_columns(_part(found, f"{name}.")) for name in names}
    return content or {"text": Embeddings.from_columns(_part(columns, "text."))}


def _digest(columns: Columns) -> str:
    digest = hashlib.sha256()
    for name in sorted(columns):
        array = np.ascontiguousarray(columns[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _part(columns: Mapping[str, NDArray[Any]], prefix: str) -> Columns:
    names: Iterable[str] = (name for name in columns if name.startswith(prefix))
    return {name.removeprefix(prefix): columns[name] for name in names}
