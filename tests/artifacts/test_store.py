import gc
import hashlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.storage import MANIFEST
from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.core.arrays import Columns
from recommender.errors import ArtifactError

KEY = artifact_key("text", 1, {"model": "x"}, {"documents": "d"})


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", "acme")


@pytest.fixture
def written(store: ArtifactStore) -> Artifact:
    matrix = np.arange(2000, dtype=np.float32).reshape(-1, 4)
    columns: Columns = {"matrix": matrix, "support": np.ones(3)}
    return store.write("text", KEY, columns, {"dimensions": 4})


@pytest.fixture
def yielding_collections() -> Iterator[None]:
    """Garbage is collected all the time, and lets other threads in."""
    before = gc.get_threshold()

    def let_in(_phase: str, _info: dict[str, int]) -> None:
        time.sleep(0.0002)

    gc.freeze()
    gc.callbacks.append(let_in)
    gc.set_threshold(7)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(let_in)
    gc.unfreeze()


def folder_of(artifact: Artifact, store: ArtifactStore) -> Path:
    return Path(store.root, artifact.path)


def rewrite(store: ArtifactStore, artifact: Artifact, manifest: dict[str, object]) -> None:
    """Write another manifest as if the store had written it."""
    manifest.pop("signature")
    path = f"{artifact.path}/{MANIFEST}"
    Path(store.root, path).write_bytes(store.signing.signed(path, manifest))


def test_round_trip(store: ArtifactStore, written: Artifact) -> None:
    found = store.require("text", KEY)
    assert found.summary == {"dimensions": 4}
    assert (found.columns()["matrix"] == written.columns("matrix")["matrix"]).all()
    assert sorted(found.column_names) == ["matrix", "support"]
    with pytest.raises(ValueError, match="read-only"):
        found.columns()["matrix"][0, 0] = 1


@pytest.mark.usefixtures("yielding_collections")
def test_columns_are_read_side_by_side_whatever_is_collected(store: ArtifactStore) -> None:
    columns: Columns = {f"column-{number}": np.full(3, number) for number in range(40)}
    written = store.write("text", KEY, columns, {})
    for _ in range(40):
        found = written.columns()
        assert all((found[name] == column).all() for name, column in columns.items())


def test_key_covers_everything() -> None:
    keys = {
        artifact_key("text", 1, {"a": 1}, {}),
        artifact_key("text", 2, {"a": 1}, {}),
        artifact_key("other", 1, {"a": 1}, {}),
        artifact_key("text", 1, {"a": 2}, {}),
        artifact_key("text", 1, {"a": 1}, {"read": "k"}),
    }
    assert len(keys) == 5
    assert artifact_key("t", 1, {"a": 1, "b": 2}, {}) == artifact_key("t", 1, {"b": 2, "a": 1}, {})


def test_no_manifest_means_it_is_not_there(store: ArtifactStore, written: Artifact) -> None:
    (folder_of(written, store) / MANIFEST).unlink()
    assert store.find("text", KEY) is None
    with pytest.raises(ArtifactError, match="recommender reindex"):
        store.require("text", KEY)


def test_first_complete_one_stays(store: ArtifactStore, written: Artifact) -> None:
    again = store.write("text", KEY, {"matrix": np.zeros((1, 1))}, {"dimensions": 1})
    assert again.summary == {"dimensions": 4}
    assert [path.name for path in folder_of(written, store).parent.iterdir()] == [KEY]


def test_manifest_says_neither_when_nor_where(store: ArtifactStore, written: Artifact) -> None:
    manifest = json.loads((folder_of(written, store) / MANIFEST).read_text())
    assert set(manifest) == {"format", "key", "summary", "files", "signature"}
    assert str(folder_of(written, store)) not in json.dumps(manifest)


@pytest.mark.fault(17, "S10")
@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_found(store: ArtifactStore, written: Artifact, seed: int) -> None:
    rng = random.Random(seed)
    path = folder_of(written, store) / "matrix.npy"
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="was changed or cut"):
        written.columns("matrix")
    assert written.columns("support")


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_of_the_manifest_is_found(
    store: ArtifactStore, written: Artifact, seed: int
) -> None:
    rng = random.Random(seed)
    path = folder_of(written, store) / MANIFEST
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content) - 1)
    content[place] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="verify --repair"):
        store.find("text", KEY)


@pytest.mark.fault(18)
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_cut_file_is_found(store: ArtifactStore, written: Artifact, share: float) -> None:
    path = folder_of(written, store) / "matrix.npy"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ArtifactError, match="was changed or cut"):
        written.columns()


@pytest.mark.fault("S11")
@pytest.mark.parametrize("name", ["../x.npy", "/etc/passwd", "a/b.npy", "A.npy", "", ".hidden"])
def test_manifest_cannot_lead_outside(store: ArtifactStore, written: Artifact, name: str) -> None:
    path = folder_of(written, store) / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["files"] = {name: {"size": 1, "sha256": "0"}}
    rewrite(store, written, manifest)
    with pytest.raises(ArtifactError, match="names a file"):
        store.find("text", KEY)


@pytest.mark.fault("S11")
def test_links_are_not_followed(store: ArtifactStore, written: Artifact, tmp_path: Path) -> None:
    path = folder_of(written, store) / "matrix.npy"
    secret = path.rename(tmp_path / "elsewhere.npy")
    path.symlink_to(secret)
    with pytest.raises(ArtifactError, match="missing or a link"):
        written.columns("matrix")
    manifest = folder_of(written, store) / MANIFEST
    manifest.symlink_to(manifest.rename(tmp_path / "manifest.json"))
    with pytest.raises(ArtifactError, match="link"):
        store.find("text", KEY)


@pytest.mark.fault("S10")
def test_pickled_arrays_are_not_loaded(store: ArtifactStore, written: Artifact) -> None:
    path = folder_of(written, store) / "matrix.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    manifest_path = folder_of(written, store) / MANIFEST
    manifest = json.loads(manifest_path.read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["files"]["matrix.npy"] = {"size": path.stat().st_size, "sha256": digest}
    rewrite(store, written, manifest)
    with pytest.raises(ValueError, match=r"allow_pickle|Python objects|mmap"):
        store.require("text", KEY).columns("matrix")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 99}'])
def test_manifest_that_is_none(store: ArtifactStore, written: Artifact, content: bytes) -> None:
    (folder_of(written, store) / MANIFEST).write_bytes(content)
    with pytest.raises(ArtifactError, match="verify --repair"):
        store.find("text", KEY)


@pytest.mark.parametrize("name", ["../up", "a/b", "", "ACME", "a b"])
def test_names_cannot_lead_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="artifact name"):
        ArtifactStore(tmp_path, name).find("text", KEY)
    with pytest.raises(ArtifactError, match="artifact name"):
        ArtifactStore(tmp_path, "acme").find(name, KEY)


def test_full_disk_leaves_nothing_behind(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOMMENDER_FAILPOINTS", "artifact.write=enospc@1")
    monkeypatch.setattr("recommender.core.failpoints._hits", Counter())
    with pytest.raises(ArtifactError, match="No space left on device"):
        store.write("text", KEY, {"matrix": np.zeros(3)}, {})
    assert store.find("text", KEY) is None
    assert list(Path(store.root, "acme", "text").iterdir()) == []


KILLED = """
import numpy as np
from pathlib import Path
from recommender.core.arrays import Columns
from recommender.artifacts.store import ArtifactStore
ArtifactStore(Path({root!r}), "acme").write("text", {key!r}, {{"matrix": np.zeros(9)}}, {{}})
"""


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    "place", ["artifact.write", "artifact.before_manifest", "artifact.before_rename"]
)
def test_killed_while_writing_leaves_no_artifact(
    store: ArtifactStore, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOMMENDER_FAILPOINTS", f"{place}=kill@1")
    code = KILLED.format(root=str(store.root), key=KEY)
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    assert store.find("text", KEY) is None
    monkeypatch.delenv("RECOMMENDER_FAILPOINTS")
    assert store.write("text", KEY, {"matrix": np.zeros(9)}, {}).columns()["matrix"].shape == (9,)


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "acme", "acme.x", "acme.1/../2", "", "A.1"])
def test_run_ids_cannot_lead_outside(store: ArtifactStore, run_id: str) -> None:
    with pytest.raises(ArtifactError, match="run id"):
        store.record_run(run_id, {})


def test_highest_run(store: ArtifactStore) -> None:
    assert store.highest_run() == 0
    store.record_run("acme.9", {"a": 1})
    store.record_run("acme.10", {"a": 1})
    assert store.highest_run() == 10


def signing(store: ArtifactStore, key: bytes = b"0123456789abcdef") -> ArtifactStore:
    return ArtifactStore(store.root, store.shop, signing_key=key)


@pytest.mark.fault("S10")
def test_signed_artifacts_are_read_and_forged_ones_refused(store: ArtifactStore) -> None:
    trusted = signing(store)
    trusted.write("text", KEY, {"matrix": np.ones(3)}, {"dimensions": 1})
    assert trusted.require("text", KEY).columns()["matrix"].sum() == 3
    path = Path(store.root, trusted.folder("text", KEY), MANIFEST)
    forged = json.loads(path.read_text())
    forged["summary"] = {"dimensions": 2}
    path.write_text(json.dumps(forged))
    with pytest.raises(ArtifactError, match=r"not signed with artifacts\.signing_key"):
        trusted.find("text", KEY)
    other = artifact_key("text", 1, {"model": "y"}, {})
    store.write("text", other, {}, {})
    with pytest.raises(ArtifactError, match="not signed"):
        trusted.find("text", other)
    with pytest.raises(ArtifactError, match="not signed"):
        signing(store, b"fedcba9876543210").find("text", KEY)


def test_a_signature_holds_for_one_place(store: ArtifactStore) -> None:
    trusted = signing(store)
    trusted.record_run("acme.1", {"build": KEY})
    assert trusted.run("acme.1") == {"build": KEY}
    runs = Path(store.root, "acme", "runs")
    (runs / "acme.2.json").write_bytes((runs / "acme.1.json").read_bytes())
    with pytest.raises(ArtifactError, match="not signed"):
        trusted.run("acme.2")
    assert b"0123456789abcdef" not in (runs / "acme.1.json").read_bytes()


def test_a_run_begins_once_and_a_ledger_loses_nothing(store: ArtifactStore) -> None:
    assert store.begin_run("acme.7", {"state": "running"})
    assert not store.begin_run("acme.7", {"state": "other"})
    assert store.run("acme.7") == {"state": "running"}
    assert store.run("acme.8") is None
    assert [store.append("e", 0, {"n": n}) for n in (1, 2)] == [True, False]
    assert [store.entry("e", 0), store.entry("e", 1)] == [{"n": 1}, None]
    assert sorted(path.name for path in Path(store.root, "acme", "runs").iterdir()) == [
        "acme.7.json"
    ]
