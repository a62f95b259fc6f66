"""Repair of a plan: damaged artifacts are discarded, so that they are missing and are made again.

`verify` of the store looks at everything that there is; this looks at what one build is made of,
at the start of every run.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from recommender.artifacts.runs import find_run, run_id
from recommender.artifacts.storage import LocalStorage
from recommender.artifacts.store import ArtifactStore
from recommender.build.image_steps import IMAGE_VECTORS
from recommender.build.steps import Step, Task, complete, ready, steps_of
from recommender.build.text_shards import PASSING, PLAN, SHARD
from recommender.build.vector_steps import TEXT_VECTORS
from recommender.core.telemetry import Stopwatch
from recommender.errors import DamagedArtifact, WrongSignature

DIGESTED_BYTES = 4 * 1024**3
"""So many bytes are digested at the start of a run, the lists first: 0.8 s of processor time per
GiB, in two threads. Of all other files, and of objects behind a URL, only sizes are compared."""
REQUESTS = 16
OF_SHARDS = frozenset({TEXT_VECTORS[0], IMAGE_VECTORS[0]})
"""Folders of artifacts that name the shards that their vectors came from."""

log = logging.getLogger(__name__)


def discard_damaged(goal: Step) -> list[str]:
    """Discard what is damaged of all that the goal is made of; returns what was wrong with it.

    What was made from it stays: its bytes would be the same. Text shards are not made again until
    their texts are needed.
    Raises: ArtifactError where something cannot be read, or was signed with another key.
    """
    store = goal.artifacts
    local = isinstance(store.storage, LocalStorage)
    places = list(dict.fromkeys(_places(goal)))
    with ThreadPoolExecutor(2 if local else REQUESTS) as pool:
        shallow = list(pool.map(lambda at: store.fault(*at, digests=False), places))
        whole = [at for at, fault in zip(places, shallow, strict=True) if fault == ""]
        digested = list(_digested(goal, whole)) if local else []
        deep = list(pool.map(lambda at: store.fault(*at, digests=True), digested))
    found = {at: fault for at, fault in zip(places, shallow, strict=True) if fault}
    found |= {at: fault for at, fault in zip(digested, deep, strict=True) if fault}
    for at, fault in found.items():
        log.warning("event=discarded artifact=%s/%s reason=%s", *at, fault)
        store.discard(*at)
    if any(step == SHARD[0] for step, _ in found):
        discard_text_plans(store)
    return list(found.values())


def discard_text_plans(store: ArtifactStore) -> None:
    """Discard the plans of texts, which rely on shards that were there when they were made."""
    for key in store.storage.names(f"{store.shop}/{PLAN[0]}"):
        if store.find(PLAN[0], key) is not None:
            store.discard(PLAN[0], key)


def is_recorded(store: ArtifactStore, number: int) -> bool:
    """Whether a run has a record. One that is damaged is removed; the key has to be known to hold.

    Raises: ArtifactError where it cannot be read.
    """
    try:
        return find_run(store, number) is not None
    except (DamagedArtifact, WrongSignature) as error:
        log.warning("event=discarded run=%d reason=%s", number, error)
        store.forget_run(run_id(store.shop, number))
        return False


def absent(goal: Step) -> list[Step]:
    """The steps that are not done of all that a build keeps, inputs first."""
    steps = (step for step in steps_of(goal) if step.folder not in PASSING)
    return [step for step in steps if step.missing() != ()]


def complete_all(goal: Step, stopwatch: Stopwatch) -> None:
    """Make what the goal still needs, and what is missing of all else that a build keeps."""
    for step in absent(goal):
        complete(step, stopwatch)
    complete(goal, stopwatch)


def ready_again(goal: Step) -> list[Task]:
    """What can be made now of all that a build keeps."""
    return list(dict.fromkeys(task for step in absent(goal) for task in ready(step)))


def _places(goal: Step) -> Iterator[tuple[str, str]]:
    """Folders and keys of all artifacts of a plan, and of the shards that its texts came from."""
    shards: list[str] = []
    for step in reversed(steps_of(goal)):
        yield from ((step.folder, key) for key in step.keys() or ())
        if step.folder in OF_SHARDS and step.missing() == ():
            shards += step.artifact().summary["shards"]
    yield from ((SHARD[0], key) for key in shards)


def _digested(goal: Step, places: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    left = DIGESTED_BYTES
    for at in places:
        files = goal.artifacts.require(*at).files.values()
        left -= sum(int(file["size"]) for file in files)
        if left >= 0:
            yield at
