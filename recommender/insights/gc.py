"""Garbage collection: removes the artifacts and run records that no run needs any more.

Kept are the artifacts of runs whose generation is in Redis, of runs that are running or held and
can still go live (their number is above that of the live generation; no clock is involved), of
pinned runs, and of the last few runs. Text shards are also kept while a run may be at work or one
of the last runs failed, because its texts may be paid for. Everything is kept until each running
run has recorded its artifacts. Collection stops if a new run begins.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from recommender.artifacts.runs import UNFINISHED, Run, all_runs, run_id
from recommender.artifacts.storage import TEMPORARY, LocalStorage
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import BUILD, LISTS, READ, RULE_SET, chosen_keys
from recommender.build.image_steps import IMAGE_VECTORS
from recommender.build.paid_texts import PART, parts_ledger, spending_ledger
from recommender.build.repair import OF_SHARDS
from recommender.build.text_shards import PLAN, SHARD
from recommender.errors import ArtifactError
from recommender.live.overlays import OVERLAY
from recommender.publishing.publisher import Publisher

TEXTS = (PLAN[0], SHARD[0], PART[0])
STEPS = (
    *(BUILD[0], OVERLAY[0], LISTS[0], "wide", "ranker", "near", "index", "vectors"),
    *("interactions", "content", "text", IMAGE_VECTORS[0], *TEXTS, RULE_SET[0], READ[0]),
)
UNFINISHED_FOR_S = 24 * 3600
"""Unfinished artifacts without a write for so long, while no run is at work, are removed."""

Key = tuple[str, str]
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Removal:
    """The removed artifacts by step, run records and bytes; in a dry run, those to remove.

    `at_work` are the runs that may be at work; `complete` is false if a run prevented or stopped
    the collection.
    """

    artifacts: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0
    n_bytes: int = 0
    at_work: tuple[int, ...] = ()
    complete: bool = True


def collect_garbage(
    store: ArtifactStore,
    publisher: Publisher,
    *,
    keep_runs: int,
    pinned: Sequence[int] = (),
    dry_run: bool,
) -> Removal:
    """Remove the artifacts and run records that no run needs.

    Raises: ArtifactError, StoreUnavailable.
    """
    newest, runs = store.highest_run(), all_runs(store)
    published = {found.id: found.lists_key for found in publisher.generations()}
    floor = live.id if (live := publisher.live()) else 0
    needed = [
        run
        for place, run in enumerate(runs)
        if place < keep_runs
        or run.number in published
        or run.number in pinned
        or (run.state in UNFINISHED and run.number > floor)
    ]
    working = [run for run in needed if run.state == "running" and run.number > floor]
    at_work = tuple(run.number for run in working)
    if not all(run.artifacts for run in working):
        return Removal(at_work=at_work, complete=False)
    kept = _kept(store, needed, published.values())
    failed = any(run.state == "failed" and run.number > floor for run in needed)
    gone = [key for key in _found(store, shards=not (at_work or failed)) if key not in kept]
    counted: dict[str, int] = {}
    n_bytes = 0
    for step, key in gone:
        if not dry_run and store.highest_run() != newest:
            return Removal(counted, 0, n_bytes, at_work, complete=False)
        n_bytes += _size(store, step, key)
        counted[step] = counted.get(step, 0) + 1
        if not dry_run:
            _discard(store, step, key)
    ended = [run.number for run in runs if run not in needed]
    if not dry_run:
        for number in ended:
            store.forget_run(run_id(store.shop, number))
        if not at_work:
            n_bytes += _remove_unfinished(store)
    return Removal(counted, len(ended), n_bytes, at_work)


def _kept(store: ArtifactStore, needed: Iterable[Run], builds: Iterable[str]) -> set[Key]:
    """Folders and keys of all artifacts of these runs and published builds."""
    kept = {(str(step), str(key)) for run in needed for step, key in run.artifacts}
    for key in {*builds, *(run.build for run in needed)} - {""}:
        kept |= _of_build(store, key)
    for step, key in sorted(kept):
        text = store.find(step, key) if step in OF_SHARDS else None
        if text is not None:
            kept |= {(SHARD[0], shard) for shard in text.summary.get("shards", ())}
    return kept


def _of_build(store: ArtifactStore, key: str) -> set[Key]:
    """The artifacts to show, compare and publish the lists of a build or an overlay again."""
    build = store.find(BUILD[0], key)
    if build is None:
        return {(OVERLAY[0], key)}
    lists = [*build.summary["lists"].values(), *chosen_keys(build).values()]
    shards = [key for keys in lists for key in ([keys] if isinstance(keys, str) else keys)]
    return {(BUILD[0], key), (READ[0], build.summary["read"])} | {
        (LISTS[0], shard) for shard in shards
    }


def _found(store: ArtifactStore, *, shards: bool) -> Iterator[Key]:
    """All artifacts, text shards only if asked for."""
    for step in STEPS:
        if step in TEXTS and not shards:
            continue
        for name in store.storage.names(f"{store.shop}/{step}"):
            if _KEY.fullmatch(name):
                yield step, name


def _discard(store: ArtifactStore, step: str, key: str) -> None:
    """Remove an artifact and its ledger."""
    store.discard(step, key)
    ledger_of = {PLAN[0]: spending_ledger, SHARD[0]: parts_ledger}.get(step)
    if ledger_of and store.entry(ledger_of(key), 0) is not None:
        store.forget_ledger(ledger_of(key))


def _size(store: ArtifactStore, step: str, key: str) -> int:
    """The bytes of an artifact's files, 0 if it is damaged, which is removed as well."""
    try:
        artifact = store.find(step, key)
    except ArtifactError:
        return 0
    return sum(int(entry["size"]) for entry in artifact.files.values()) if artifact else 0


def _remove_unfinished(store: ArtifactStore) -> int:
    """Remove what killed writers left on a local disk, and local copies of remote artifacts."""
    if not isinstance(store.storage, LocalStorage):
        copies = LocalStorage(store.cache)
        return sum(copies.remove(name) for name in copies.names("."))
    removed = 0
    for step in STEPS:
        folder = f"{store.shop}/{step}"
        for name in store.storage.names(folder):
            place = store.storage.root / folder / name
            if not name.startswith(TEMPORARY):
                continue
            if time.time() - place.stat().st_mtime > UNFINISHED_FOR_S:
                removed += store.storage.remove(f"{folder}/{name}")
    return removed
