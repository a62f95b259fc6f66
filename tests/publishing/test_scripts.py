"""The scripts: what each refuses, and that they run at full memory."""

import pytest
from redis import Redis

from recommender.publishing import scripts
from recommender.publishing.publisher import Publisher
from recommender.publishing.scripts import Scripts
from tests.publishing.interruptions import KEYS, Live, after, list_keys
from tests.serving.builds import publish


def test_the_swap_and_the_collection_work_at_full_memory(
    publisher: Publisher, store: Redis, shop: str, assert_live: Live
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    publish(publisher, build=3, progress=after(5, lambda: store.config_set("maxmemory", "1")))
    assert_live(3, 3)
    assert [found.id for found in publisher.generations()] == [3, 2]
    assert len(list_keys(store, shop)) == 2 * KEYS


@pytest.mark.fault(54)
def test_a_rollback_works_at_full_memory(
    publisher: Publisher, store: Redis, assert_live: Live
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2)
    store.config_set("maxmemory", "1")
    publisher.rollback()
    assert_live(1, 1)


def test_without_the_shebang_everything_but_full_memory_works(
    publisher: Publisher, assert_live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scripts, "on", classmethod(lambda cls, store: cls(store, "")))
    for build in (1, 2, 3):
        publish(publisher, build=build)
    publisher.rollback()
    assert_live(2, 2)


@pytest.mark.parametrize(
    ("version", "prefix"),
    [("6.2.14", ""), ("7.0.15", scripts.ALLOW_OOM), ("10.0.0", scripts.ALLOW_OOM)],
)
def test_only_servers_from_version_7_are_told_to_allow_full_memory(
    version: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Redis()
    monkeypatch.setattr(store, "info", lambda _section: {"redis_version": version})
    assert Scripts.on(store).prefix == prefix
