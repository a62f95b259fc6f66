"""A generation that only some requests read, until it is promoted or withdrawn."""

import pytest
from redis import Redis

from recommender.core import failpoints
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.publishing.generations import Generations
from recommender.publishing.publisher import Publisher
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from tests.serving import builds
from tests.serving.builds import N, publish


@pytest.fixture
def publisher(store: Redis, shop: str) -> Publisher:
    return Publisher(store, shop, batch=10, grace_s=0.0)


def view(*layers: int) -> View:
    return View(layers, ("related",))


def roles(publisher: Publisher) -> list[tuple[int, str]]:
    return [(found.id, found.role) for found in publisher.generations()]


def test_a_canary_stands_beside_what_is_live(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    for build in (1, 2):
        publish(publisher, build=build)
    generation = publish(publisher, build=3, canary_share=0.1)
    assert (generation.id, generation.role) == (3, "canary")
    assert builds.live_pointer(server_url, shop) == Pointer(3, view(2), view(3), 0.1)
    builds.assert_live(server_url, shop, N, generation=2, build=2)
    assert builds.live_list(server_url, shop, "item-4", (3,)) == builds.expected(4, N, build=3)
    assert roles(publisher) == [(3, "canary"), (2, "live"), (1, "previous")]
    live = publisher.live()
    assert live is not None
    assert live.id == 2
    assert publisher.collect() == []


def test_a_canary_is_promoted(publisher: Publisher, server_url: str, shop: str) -> None:
    for build in (1, 2):
        publish(publisher, build=build)
    publish(publisher, build=3, canary_share=0.1)
    generation = publisher.promote()
    assert (generation.id, generation.role) == (3, "live")
    assert builds.live_pointer(server_url, shop) == Pointer(4, view(3))
    builds.assert_live(server_url, shop, N, generation=3, build=3)
    assert roles(publisher) == [(3, "live"), (2, "previous")]
    assert publisher.rollback().id == 2
    assert builds.live_pointer(server_url, shop) == Pointer(5, view(2))


def test_a_canary_is_withdrawn(publisher: Publisher, server_url: str, shop: str) -> None:
    for build in (1, 2):
        publish(publisher, build=build)
    publish(publisher, build=3, canary_share=0.1)
    assert publisher.rollback().id == 2
    assert builds.live_pointer(server_url, shop) == Pointer(4, view(2))
    assert roles(publisher) == [(3, ""), (2, "live"), (1, "previous")]
    assert publisher.collect() == [3]
    assert publisher.rollback().id == 1


def test_a_canary_is_replaced(publisher: Publisher, server_url: str, shop: str) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    publish(publisher, build=3, canary_share=0.5)
    assert builds.live_pointer(server_url, shop) == Pointer(3, view(1), view(3), 0.5)
    assert roles(publisher) == [(3, "canary"), (1, "live")]


def test_a_publish_to_all_ends_the_canary(publisher: Publisher, server_url: str, shop: str) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    publish(publisher, build=3)
    assert builds.live_pointer(server_url, shop) == Pointer(3, view(3))
    assert roles(publisher) == [(3, "live"), (1, "previous")]


def test_the_canary_of_what_was_live_before_is_none(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    monkeypatch.setattr(Publisher, "collect_replaced", lambda _: None)
    publish(publisher, build=3)
    assert roles(publisher) == [(3, "live"), (2, ""), (1, "previous")]


def test_a_rollback_to_a_number_ends_the_canary(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    for build in (1, 2):
        publish(publisher, build=build)
    publish(publisher, build=3, canary_share=0.1)
    assert publisher.rollback(1).id == 1
    assert builds.live_pointer(server_url, shop) == Pointer(4, view(1))


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(publisher: Publisher, store: Redis, share: float) -> None:
    with pytest.raises(ConfigError, match=r"canary share .*: use a number above 0 and below 1"):
        publish(publisher, build=1, canary_share=share)
    assert not list(store.scan_iter())


def test_a_canary_needs_something_beside_it(publisher: Publisher, store: Redis) -> None:
    with pytest.raises(DataError, match="nothing is live yet"):
        publish(publisher, build=1, canary_share=0.1)
    assert not list(store.scan_iter())


def test_without_a_canary_nothing_is_promoted(publisher: Publisher) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError, match="there is no canary to promote"):
            publisher.promote()
        publish(publisher, build=1)


def test_a_canary_works_at_full_memory(
    publisher: Publisher, store: Redis, server_url: str, shop: str
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    store.config_set("maxmemory", "1")
    assert publisher.promote().id == 2
    builds.assert_live(server_url, shop, N, generation=2, build=2)


def test_a_withdrawal_does_not_undo_what_went_live_meanwhile(
    publisher: Publisher, server_url: str, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    live = Generations.live

    def published_after_it_was_read(generations: Generations) -> Pointer | None:
        found = live(generations)
        monkeypatch.setattr(Generations, "live", live)
        publish(publisher, build=3)
        return found

    monkeypatch.setattr(Generations, "live", published_after_it_was_read)
    with pytest.raises(StoreUnavailable, match="generation 1 is superseded"):
        publisher.rollback()
    builds.assert_live(server_url, shop, N, generation=3, build=3)


def test_a_canary_that_was_collected_while_it_was_staged_is_refused(
    publisher: Publisher,
    store: Redis,
    server_url: str,
    shop: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(publisher, build=1)

    def collect(place: str) -> None:
        if place == "publish.before_swap":
            store.hset(Keys(shop).generation(2), "state", "staging")

    monkeypatch.setattr(failpoints, "hit", collect)
    with pytest.raises(StoreUnavailable, match="generation 1 or 2 was collected"):
        publish(publisher, build=2, canary_share=0.1)
    assert builds.live_pointer(server_url, shop) == Pointer(1, view(1))


def test_a_promotion_of_what_was_withdrawn_meanwhile_is_refused(
    publisher: Publisher, server_url: str, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    live = Generations.live

    def withdrawn_after_it_was_read(generations: Generations) -> Pointer | None:
        found = live(generations)
        monkeypatch.setattr(Generations, "live", live)
        publisher.rollback()
        return found

    monkeypatch.setattr(Generations, "live", withdrawn_after_it_was_read)
    with pytest.raises(StoreUnavailable, match="generation 2 is superseded"):
        publisher.promote()
    builds.assert_live(server_url, shop, N, generation=1, build=1)


def test_a_canary_that_was_collected_is_not_promoted(
    publisher: Publisher, store: Redis, shop: str
) -> None:
    publish(publisher, build=1)
    publish(publisher, build=2, canary_share=0.1)
    store.hset(Keys(shop).generation(2), "state", "staging")
    with pytest.raises(StoreUnavailable, match="generation 2 was collected"):
        publisher.promote()
