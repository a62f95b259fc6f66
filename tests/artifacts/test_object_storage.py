"""Artifacts on S3, over HTTP, against a server in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.object_storage import ObjectStorage, _file_system
from recommender.artifacts.store import ArtifactStore, artifact_key
from recommender.cli.main import run
from recommender.errors import ArtifactError
from tests.support.bad_objects import Door, door_to
from tests.support.objects import CREDENTIALS, Client, client_of, running_s3
from tests.support.shop_files import orders, write_shop

pytestmark = pytest.mark.server
KEY = artifact_key("text", 1, {"model": "x"}, {"documents": "d"})
URL = "s3://shops/prefix"
BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c")]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with running_s3("shops") as url:
        yield url


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of the server, whose bucket is empty."""
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": s3}).items():
        monkeypatch.setenv(name, value)
    client = client_of(s3)
    for name in names(client):
        client.delete_object(Bucket="shops", Key=name)
    return client


@pytest.fixture
def store(bucket: Client, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(URL, "acme", tmp_path / "cache")


def names(client: Client) -> list[str]:
    listed = client.list_objects_v2(Bucket="shops").get("Contents", [])
    return [entry["Key"] for entry in listed]


def test_round_trip_with_the_manifest_last(store: ArtifactStore, bucket: Client) -> None:
    matrix = np.arange(2000, dtype=np.float32).reshape(-1, 4)
    store.write("text", KEY, {"matrix": matrix}, {"dimensions": 4})
    found = store.require("text", KEY)
    assert found.summary == {"dimensions": 4}
    assert (found.columns()["matrix"] == matrix).all()
    fresh = ArtifactStore(URL, "acme", store.cache / "other")
    assert (fresh.require("text", KEY).columns()["matrix"] == matrix).all()
    assert f"prefix/acme/text/{KEY}/manifest.json" in names(bucket)


def test_first_manifest_wins(store: ArtifactStore) -> None:
    values = [np.full(50_000, number) for number in range(6)]
    threads = [
        threading.Thread(target=store.write, args=("text", KEY, {"v": value}, {}))
        for value in values
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = ArtifactStore(URL, "acme", store.cache / "other")
    found = fresh.require("text", KEY).columns()["v"]
    assert any((found == value).all() for value in values)
    assert [store.append("encoder", 0, {"by": name}) for name in "ab"] == [True, False]
    assert store.entry("encoder", 0) == {"by": "a"}


@pytest.mark.fault(59)
@pytest.mark.parametrize("harm", ["flip", "cut", "delete"])
def test_what_was_changed_in_the_bucket_is_not_loaded(
    store: ArtifactStore,
    bucket: Client,
    harm: str,
) -> None:
    store.write("text", KEY, {"matrix": np.zeros(999)}, {})
    name = next(name for name in names(bucket) if ".npy" in name)
    content = bytearray(bucket.get_object(Bucket="shops", Key=name)["Body"].read())
    content[500] ^= 1
    if harm == "delete":
        bucket.delete_object(Bucket="shops", Key=name)
    else:
        body = bytes(content) if harm == "flip" else bytes(content[:-9])
        bucket.put_object(Bucket="shops", Key=name, Body=body)
    fresh = ArtifactStore(URL, "acme", store.cache / "other")
    with pytest.raises(ArtifactError, match=r"was changed or cut|missing"):
        fresh.require("text", KEY).columns()


def test_a_copy_that_rotted_is_fetched_again(store: ArtifactStore) -> None:
    store.write("text", KEY, {"matrix": np.zeros(999)}, {})
    (kept,) = [path for path in store.cache.iterdir() if path.is_file()]
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert not store.require("text", KEY).columns()["matrix"].any()


KILLED = """
import numpy as np
from pathlib import Path
from recommender.artifacts.store import ArtifactStore
ArtifactStore({url!r}, "acme", Path({cache!r})).write("text", {key!r}, {{"m": np.zeros(9)}}, {{}})
"""


@pytest.mark.parametrize("place", ["artifact.write", "artifact.before_manifest"])
def test_killed_while_writing_leaves_no_artifact(store: ArtifactStore, place: str) -> None:
    code = KILLED.format(url=URL, cache=str(store.cache), key=KEY)
    environment = os.environ | {"RECOMMENDER_FAILPOINTS": f"{place}=kill@1"}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert killed.returncode == -9
    assert store.find("text", KEY) is None
    assert store.write("text", KEY, {"m": np.zeros(9)}, {}).columns()["m"].shape == (9,)


def test_wrong_bucket_and_dead_server_are_told_without_secrets(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArtifactError) as told:
        ArtifactStore("s3://nowhere/x", "acme", store.cache).write("text", KEY, {}, {})
    assert "s3://nowhere/x" in str(told.value)
    assert "S3CR3T" not in str(told.value)


def test_a_shop_is_built_and_served_from_a_bucket(
    bucket: Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    where = ["--config", str(config), "--set", f"artifacts.url={URL}"]
    assert run(["reindex", *where]) == 0
    assert not (tmp_path / ".recommender" / "artifacts").exists()
    capsys.readouterr()
    assert run(["related", "a", *where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "ok"
    assert run(["reindex", *where]) == 0
    assert "Nothing changed" in capsys.readouterr().out
    assert any(name.startswith("prefix/acme/runs/acme.") for name in names(bucket))
    assert run(["doctor", *where]) == 0


@pytest.fixture
def door(s3: str, bucket: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """What stands between the artifact store and the server from here on."""
    with door_to(s3) as door:
        monkeypatch.setenv("AWS_ENDPOINT_URL", door.url)
        _file_system.cache_clear()
        yield door
    _file_system.cache_clear()


def published(tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, object]:
    """Reindex from a bucket; returns the list of one item."""
    config = tmp_path / "recommender.toml"
    where = ["--config", str(config), "--set", f"artifacts.url={URL}", *more]
    assert run(["reindex", *where]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert run(["related", "a", *where, "--json"]) == 0
    shown: dict[str, object] = json.loads(capsys.readouterr().out)
    return shown


@pytest.mark.fault(59)
@pytest.mark.parametrize("fault", ["busy", "cut"])
def test_a_store_that_fails_now_and_then_is_asked_again(
    door: Door, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    door.fault = lambda number: fault if number % 5 == 2 else "ok"
    found = published(tmp_path, capsys)
    assert door.failed > 5
    door.fault = lambda _: "ok"
    shutil.rmtree(tmp_path / ".recommender")
    again = published(tmp_path, capsys, "--set", "artifacts.url=")
    assert found["items"] == again["items"]


@pytest.mark.fault(59)
def test_a_slow_store_is_waited_for(
    door: Door, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    door.fault = lambda number: "slow" if number % 40 == 0 else "ok"
    assert published(tmp_path, capsys)["status"] in {"ok", "topped_up"}
    assert door.failed > 1


@pytest.mark.fault(59)
def test_a_store_that_stays_busy_ends_the_run_and_what_was_live_stays(
    door: Door, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    before = published(tmp_path, capsys)
    write_shop(tmp_path, orders(*BASKETS, ("a", "c"), ("a", "c")))
    where = ["--config", str(config), "--set", f"artifacts.url={URL}"]
    door.asked = 0
    door.fault = lambda number: "busy" if number > 20 else "ok"
    assert run(["reindex", *where]) == 5
    told = capsys.readouterr().err
    assert URL in told
    assert "reduce your request rate" in told
    door.fault = lambda _: "ok"
    assert run(["related", "a", *where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"] == before["items"]
    after = published(tmp_path, capsys)
    assert after["items"] != before["items"]


@pytest.mark.fault(59)
def test_a_list_that_is_cut_short_hides_no_artifact(
    bucket: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    published(tmp_path, capsys)
    monkeypatch.setattr(ObjectStorage, "names", lambda *_: [])
    where = ["--config", str(tmp_path / "recommender.toml"), "--set", f"artifacts.url={URL}"]
    assert run(["reindex", *where]) == 0
    assert "Nothing changed" in capsys.readouterr().out
    (tmp_path / "orders.csv").write_text(orders(*BASKETS, ("a", "c")))
    assert run(["reindex", *where]) == 0
    assert "Generation 2 of acme is live" in capsys.readouterr().out
