"""Everything that a store holds is verified, and only what is damaged is removed."""

from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import ArtifactStore, artifact_key
from recommender.artifacts.verification import Verified, verify
from recommender.errors import ArtifactError

KEYS = [artifact_key("lists", 1, {"n": n}, {}) for n in range(4)]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """Four artifacts of two files, a run and a ledger of two entries."""
    store = ArtifactStore(tmp_path, "acme")
    for key in KEYS:
        store.write("lists", key, {"rows": np.arange(9), "sizes": np.ones(3)}, {})
    store.record_run("acme.7", {"state": "published"})
    store.append("ledger", 0, {"shards": ["a"]})
    store.append("ledger", 1, {"shards": ["b"]})
    return store


def folder(store: ArtifactStore, key: str) -> Path:
    return Path(store.root, store.folder("lists", key))


def damaged(found: list[Verified]) -> list[str]:
    return [one.key for one in found if one.fault]


def test_what_is_whole_is_counted(store: ArtifactStore) -> None:
    found = verify(store, repair=True)
    assert [one.kind for one in found] == ["artifact"] * 4 + ["run"] + ["entry"] * 2
    assert damaged(found) == []
    assert found[0].n_bytes == sum(
        path.stat().st_size for path in folder(store, KEYS[0]).glob("*.npy")
    )


@pytest.mark.fault(17, 18)
def test_what_is_damaged_is_found_and_removed_when_told(store: ArtifactStore) -> None:
    flipped = folder(store, KEYS[0]) / "rows.npy"
    flipped.write_bytes(flipped.read_bytes()[:-1] + b"\x01")
    (folder(store, KEYS[1]) / "manifest.json").unlink()
    (folder(store, KEYS[2]) / "sizes.npy").unlink()
    run = Path(store.root, "acme", "runs", "acme.7.json")
    run.write_text("{")
    entry = Path(store.root, "acme", "ledgers", "ledger", "00000000.json")
    entry.write_bytes(entry.read_bytes().replace(b'"a"', b'"z"'))
    expected = {*KEYS[:3], "acme.7", "00000000.json"}
    assert set(damaged(verify(store, repair=False))) == expected
    found = verify(store, repair=True)
    assert set(damaged(found)) == expected
    assert {one.key for one in found if one.repaired} == expected - {"00000000.json"}
    assert damaged(verify(store, repair=False)) == ["00000000.json"]
    assert store.find("lists", KEYS[3]) is not None


def test_nothing_is_removed_where_the_key_may_be_wrong(store: ArtifactStore) -> None:
    other = ArtifactStore(store.root, "acme", signing_key=b"0123456789abcdef")
    with pytest.raises(ArtifactError, match=r"set artifacts\.signing_key"):
        verify(other, repair=True)
    assert damaged(verify(store, repair=False)) == []


def test_files_that_are_no_artifacts_are_left_alone(store: ArtifactStore) -> None:
    for name in ("notes.txt", "lists/.tmp-x", "lists/notes", "UPPER", "ledgers/ledger/x"):
        place = Path(store.root, "acme", name)
        place.write_text("mine")
        verify(store, repair=True)
        assert place.exists()


def test_an_empty_store_is_whole(tmp_path: Path) -> None:
    assert verify(ArtifactStore(tmp_path, "acme"), repair=True) == []
