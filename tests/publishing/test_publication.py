"""One publish by several processes: shards in any order, repeated steps, a lease that is lost."""

import random

import numpy as np
import pytest
from redis import Redis

from recommender.core.generation import Generation
from recommender.core.lists import RelatedLists
from recommender.errors import StoreUnavailable
from recommender.publishing.publication import Publication
from recommender.publishing.publisher import Publisher
from recommender.serving.keys import Keys
from tests.serving import builds, servers

N = 50
IDS = builds.item_ids(N)


def shard(build: int, start: int, stop: int) -> tuple[RelatedLists, range]:
    """The lists of some rows of a build; all others are empty."""
    whole = builds.related_lists(N, build=build)
    first, last = whole.offsets[start], whole.offsets[stop]
    sizes = np.where((np.arange(N) >= start) & (np.arange(N) < stop), whole.sizes, 0)
    part = RelatedLists(
        whole.placement,
        np.concatenate([[0], np.cumsum(sizes)]),
        whole.entries[first:last],
        whole.best_sellers,
    )
    return part, range(start, stop)


def begun(publisher: Publisher, build: int) -> Publication:
    publication = Publication(publisher, publisher.reserve())
    lists = [builds.related_lists(N, build=build)]
    publication.begin(IDS, lists, lists_key=f"lists-{build}", recipe_digest="digest")
    return publication


def test_shards_in_any_order_and_twice(
    publisher: Publisher, server_url: str, shop: str, store: Redis
) -> None:
    builds.publish(publisher, 1, count=N)
    publication = begun(publisher, 2)
    shards = [(start, min(start + 13, N)) for start in range(0, N, 13)] * 2
    random.Random(3).shuffle(shards)
    for start, stop in shards:
        worker = Publication(Publisher(store, shop, grace_s=0.0, batch=5), publication.number)
        worker.stage(IDS, *shard(2, start, stop))
        builds.assert_live(server_url, shop, N, generation=1, build=1)
    again = begun_again(publication)
    assert again.state == "staging"
    generation = publication.activate(IDS, [builds.related_lists(N, build=2)])
    assert (generation.id, generation.role) == (2, "live")
    builds.assert_live(server_url, shop, N, generation=2, build=2)
    assert not store.exists(Keys(shop).lease)
    builds.publish(publisher, 3, count=N)
    builds.assert_live(server_url, shop, N, generation=3, build=3)


def begun_again(publication: Publication) -> Generation:
    lists = [builds.related_lists(N, build=2)]
    return publication.begin(IDS, lists, lists_key="lists-2", recipe_digest="digest")


def test_nothing_goes_live_with_a_list_missing(
    publisher: Publisher, server_url: str, shop: str
) -> None:
    builds.publish(publisher, 1, count=N)
    publication = begun(publisher, 2)
    publication.stage(IDS, *shard(2, 0, 30))
    with pytest.raises(StoreUnavailable, match="of 51 lists written 31 are there"):
        publication.activate(IDS, [builds.related_lists(N, build=2)])
    builds.assert_live(server_url, shop, N, generation=1, build=1)
    publication.stage(IDS, *shard(2, 30, N))
    publication.activate(IDS, [builds.related_lists(N, build=2)])
    builds.assert_live(server_url, shop, N, generation=2, build=2)


def test_others_wait_while_a_publication_is_at_work(publisher: Publisher) -> None:
    publication = begun(publisher, 1)
    with pytest.raises(StoreUnavailable, match=rf"{publication.owner} is publishing"):
        begun(publisher, 2)


def test_a_publication_whose_lease_was_lost_writes_nothing_that_is_read(
    store: Redis, server_url: str, shop: str
) -> None:
    brief = Publisher(store, shop, lease_s=0.2, grace_s=0.0)
    publication = begun(brief, 1)
    publication.stage(IDS, *shard(1, 0, 30))
    servers.until(lambda: not store.exists(Keys(shop).lease))
    with pytest.raises(StoreUnavailable, match="lost"):
        publication.stage(IDS, *shard(1, 30, N))
    builds.publish(Publisher(store, shop, grace_s=0.0), 2, count=N)
    for step in (
        lambda: publication.stage(IDS, *shard(1, 30, N)),
        lambda: publication.activate(IDS, [builds.related_lists(N, build=1)]),
        lambda: begun_again(publication),
    ):
        with pytest.raises(StoreUnavailable):
            step()
    builds.assert_live(server_url, shop, N, generation=2, build=2)
    assert [found.id for found in brief.generations()] == [2]
    assert not store.exists(Keys(shop).lease)
    assert not list(store.scan_iter(match=f"rec:{shop}:1:*"))


@pytest.mark.fault(28)
def test_who_reserved_later_wins(publisher: Publisher, server_url: str, shop: str) -> None:
    early, late = publisher.reserve(), publisher.reserve()
    lists = [builds.related_lists(N, build=2)]
    publisher.publish(IDS, lists, lists_key="l", recipe_digest="d", number=late)
    with pytest.raises(StoreUnavailable, match="run 1 is superseded"):
        publisher.publish(IDS, lists, lists_key="l", recipe_digest="d", number=early)
    builds.assert_live(server_url, shop, N, generation=late, build=2)
    assert publisher.reserve(floor=40) == 41
