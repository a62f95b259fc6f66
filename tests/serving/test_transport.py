"""Connections that are kept ready, and one deadline for a whole exchange."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from recommender.errors import StoreUnavailable
from recommender.serving.reader import completed
from recommender.serving.transport import READY, Connections, left, wait_blocking


@pytest.fixture
def connections(server_url: str, store: Redis) -> Iterator[Connections]:
    store.set("k", "v")
    with closing(Connections(server_url, client_name="transport")) as connections:
        yield connections


def opened(store: Redis) -> int:
    """How many connections of that name the server has."""
    return sum(client["name"] == "transport" for client in store.client_list())


def soon() -> float:
    return time.monotonic() + 20


def test_only_topping_up_connects_and_only_once(connections: Connections, store: Redis) -> None:
    async def ask() -> None:
        with pytest.raises(StoreUnavailable, match="not connected"):
            await connections.poll(("MGET", "k"))
        assert connections.counts() == {"connections": 0}
        for _ in range(3):
            await connections.top_up()
            assert connections.counts() == {"connections": READY}
        assert await connections.poll(("MGET", "k", "none")) == [b"v", None]
        for _ in range(2 * READY):
            assert await connections.read(("MGET", "k"), soon()) == [b"v"]
        assert connections.counts() == {"connections": READY}

    completed(ask())
    assert opened(store) == READY + 1


def test_without_a_free_connection_a_request_asks_for_one_and_gives_up(
    connections: Connections,
) -> None:
    with pytest.raises(StoreUnavailable, match="no connection was free before the deadline"):
        completed(connections.read(("MGET", "k"), time.monotonic() + 0.05))
    assert connections.wanted.is_set()


def test_a_deadline_that_passed_sends_nothing(connections: Connections, store: Redis) -> None:
    completed(connections.top_up())
    with pytest.raises(StoreUnavailable, match="deadline passed"):
        completed(connections.read(("MGET", "k"), time.monotonic() - 1))
    assert "cmdstat_mget" not in store.info("commandstats")
    assert connections.counts() == {"connections": READY - 1}


def test_connections_that_the_server_ended_are_replaced(
    connections: Connections, store: Redis
) -> None:
    completed(connections.top_up())
    for client in store.client_list():
        if client["name"] == "transport":
            store.client_kill_filter(_id=client["id"])
    completed(connections.top_up())
    assert connections.counts() == {"connections": READY}
    assert completed(connections.read(("MGET", "k"), soon())) == [b"v"]


def test_a_connection_in_use_is_closed_when_it_comes_back(
    connections: Connections, store: Redis
) -> None:
    completed(connections.top_up())
    taken = connections._taken(soon())
    connections.close()
    assert connections.counts() == {"connections": 1}
    connections._give(taken)
    assert connections.counts() == {"connections": 0}


def test_waiting_ends_with_the_event_or_the_time() -> None:
    event = threading.Event()
    assert not completed(wait_blocking(event, time.monotonic() + 0.01))
    event.set()
    assert completed(wait_blocking(event, time.monotonic()))


def test_what_is_left_of_a_deadline() -> None:
    assert 0 < left(soon()) <= 20
    with pytest.raises(StoreUnavailable, match="deadline passed"):
        left(time.monotonic())
