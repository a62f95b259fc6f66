import os
import signal
import subprocess
import sys

import pytest
from redis import Redis

from recommender.core import failpoints
from recommender.publishing.publisher import Publisher
from recommender.serving.keys import Keys
from tests.serving import builds, servers

N = 40
KEYS = N + 1
KILLS = {
    "publish.staged=kill@1": 1,
    "publish.staged=kill@2": 11,
    "publish.staged=kill@5": KEYS,
    "publish.before_swap=kill@1": KEYS,
    "publish.after_swap=kill@1": KEYS,
}
"""Where the publisher dies, and how many lists it has written by then."""


def killed(server_url: str, shop: str, build: int, at: str) -> int:
    arguments = [server_url, shop, str(build), str(N), "0.5"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.serving.publishing", *arguments],
        env=os.environ | {failpoints.VARIABLE: at},
        timeout=60,
        check=False,
    )
    return done.returncode


def written(store: Redis, shop: str, generation: int) -> int:
    return sum(1 for _ in store.scan_iter(match=f"rec:{shop}:{generation}:*", count=1000))


@pytest.mark.parametrize("at", KILLS)
def test_a_killed_publisher_leaves_a_whole_generation_live(
    store: Redis, server_url: str, shop: str, at: str
) -> None:
    publisher = Publisher(store, shop, grace_s=0.0)
    lists = [builds.related_lists(N, build=1)]
    publisher.publish(builds.item_ids(N), lists, lists_key="lists-1", recipe_digest="digest")

    assert killed(server_url, shop, build=2, at=at) == -signal.SIGKILL
    swapped = at.startswith("publish.after_swap")
    assert written(store, shop, 2) == KILLS[at]
    live = 2 if swapped else 1
    builds.assert_live(server_url, shop, N, generation=live, build=live)
    assert {found.id: found.role for found in publisher.generations()} == (
        {1: "previous", 2: "live"} if swapped else {1: "live", 2: ""}
    )

    servers.until(lambda: not store.exists(Keys(shop).lease))
    lists = [builds.related_lists(N, build=3)]
    publisher.publish(builds.item_ids(N), lists, lists_key="lists-3", recipe_digest="digest")
    builds.assert_live(server_url, shop, N, generation=3, build=3)
    assert [found.id for found in publisher.generations()] == [3, live]
    assert {number: written(store, shop, number) for number in (1, 2, 3)} == {
        number: KEYS if number in {3, live} else 0 for number in (1, 2, 3)
    }


def test_every_failpoint_of_the_publisher_is_killed_at() -> None:
    places = {at.partition("=")[0] for at in KILLS}
    assert places == {name for name in failpoints.NAMES if name.startswith("publish.")}
