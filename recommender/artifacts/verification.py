"""Verification of all that a store holds for a shop: artifacts, run records and ledgers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from recommender.artifacts.runs import run_id
from recommender.artifacts.storage import NAME, LocalStorage
from recommender.artifacts.store import LEDGERS, RUNS, ArtifactStore
from recommender.core.telemetry import Progress, silent
from recommender.errors import ArtifactError, DamagedArtifact, WrongSignature

_KEY = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(r"([0-9]{8})\.json")


@dataclass(frozen=True, slots=True)
class Verified:
    """One artifact, run record or ledger entry; `fault` is "" where it is whole.

    `step` and `key` are its folder and name. `repaired` where it was removed, so that it is made
    again.
    """

    kind: Literal["artifact", "run", "entry"]
    step: str
    key: str
    n_bytes: int = 0
    fault: str = ""
    repaired: bool = False
    doubtful: bool = False


def verify(store: ArtifactStore, *, repair: bool, progress: Progress = silent) -> list[Verified]:
    """Compare everything with its signature, size and digest; with `repair` remove the damaged.

    Entries of ledgers are never removed: they say what was paid for and who was forgotten.
    Raises: ArtifactError where something cannot be read, or where nothing carries a signature of
    the key that is set here, so that damage cannot be distinguished from another key.
    """
    found = [*_artifacts(store, progress), *_runs(store), *_entries(store)]
    if any(one.doubtful for one in found) and all(one.fault for one in found):
        raise ArtifactError(
            f"shop {store.shop}: nothing in {store.root} is signed with the key that is set here; "
            "set artifacts.signing_key to that of the writer, or remove the folder of the shop to "
            "build all of it again"
        )
    return [_removed(store, one) if repair and one.fault else one for one in found]


def _artifacts(store: ArtifactStore, progress: Progress) -> Iterator[Verified]:
    places = [
        (step, key)
        for step in store.storage.names(store.shop)
        if step not in {RUNS, LEDGERS} and NAME.fullmatch(step)
        for key in store.storage.names(f"{store.shop}/{step}")
        if _KEY.fullmatch(key)
    ]
    with progress("verify artifacts", len(places)) as advance:
        for step, key in places:
            found = _artifact(store, Verified("artifact", step, key))
            advance(1)
            if found is not None:
                yield found


def _artifact(store: ArtifactStore, place: Verified) -> Verified | None:
    """None for files without a manifest in a bucket: a writer may be at work on them."""
    try:
        artifact = store.find(place.step, place.key)
    except (DamagedArtifact, WrongSignature) as error:
        return _faulty(place, error)
    if artifact is None:
        if not isinstance(store.storage, LocalStorage):
            return None
        return replace(place, fault=f"{store.folder(place.step, place.key)} has no manifest")
    n_bytes = sum(int(file["size"]) for file in artifact.files.values())
    return replace(place, n_bytes=n_bytes, fault=artifact.fault(digests=True))


def _runs(store: ArtifactStore) -> Iterator[Verified]:
    for number in store.runs():
        place = Verified("run", RUNS, run_id(store.shop, number))
        try:
            store.run(place.key)
        except (DamagedArtifact, WrongSignature) as error:
            place = _faulty(place, error)
        yield place


def _entries(store: ArtifactStore) -> Iterator[Verified]:
    root = f"{store.shop}/{LEDGERS}"
    for ledger in store.storage.names(root):
        for name in store.storage.names(f"{root}/{ledger}"):
            if match := _ENTRY.fullmatch(name):
                place = Verified("entry", f"{LEDGERS}/{ledger}", name)
                try:
                    store.entry(ledger, int(match[1]))
                except (DamagedArtifact, WrongSignature) as error:
                    place = _faulty(place, error)
                yield place


def _faulty(place: Verified, error: ArtifactError) -> Verified:
    return replace(place, fault=str(error), doubtful=isinstance(error, WrongSignature))


def _removed(store: ArtifactStore, one: Verified) -> Verified:
    if one.kind == "entry":
        return one
    if one.kind == "run":
        store.forget_run(one.key)
    else:
        store.discard(one.step, one.key)
    return replace(one, repaired=True)
