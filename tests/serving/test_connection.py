import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis.exceptions import RedisError

from recommender.errors import ConfigError, StoreUnavailable
from recommender.serving.connection import connection_pool, open_store, store_errors
from recommender.serving.logs import LookupLog
from recommender.serving.lookup import RelatedItems
from recommender.serving.urls import ClusterUrl

PASSWORD = "S3CR3T-xyz"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "embedded",
        f"redis://:{PASSWORD}@[",
        "redis://localhost:port",
        "redis://localhost:99999",
        "redis://localhost?nonsense=1",
        "redis://localhost?db=x",
        "redis://localhost?ssl_keyfile=x",
    ],
)
def test_what_names_no_redis_is_refused_before_a_connection(url: str) -> None:
    with pytest.raises(ConfigError, match="store url") as refusal:
        open_store(url)
    assert PASSWORD not in str(refusal.value)


def test_the_timeouts_are_ours_whatever_the_url_says() -> None:
    pool = connection_pool(
        "redis://h?socket_timeout=99&socket_connect_timeout=99&retry_on_timeout=yes"
        "&health_check_interval=9&protocol=3&decode_responses=yes&max_connections=1",
        connect_timeout_s=0.5,
        timeout_s=0.25,
        client_name="name",
    )
    connection = pool.connection_class(**pool.connection_kwargs)
    assert connection.socket_timeout == 0.25
    assert connection.socket_connect_timeout == 0.5
    assert connection.retry.get_retries() == 0
    assert connection.health_check_interval == 0
    assert connection.client_name == "name"
    assert connection.protocol == 2
    assert not connection.encoder.decode_responses
    assert pool.max_connections == 512


def test_a_refused_connection_is_one_line_without_the_password(refused_port: int) -> None:
    with pytest.raises(StoreUnavailable) as failure:
        open_store(f"redis://:{PASSWORD}@127.0.0.1:{refused_port}/0")
    message = str(failure.value)
    assert f"redis://***@127.0.0.1:{refused_port}/0" in message
    assert "start the server" in message
    assert "\n" not in message
    assert PASSWORD not in message
    assert PASSWORD not in str(failure.value.__cause__)


def test_a_missing_socket_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="nowhere"):
        open_store("unix:///nowhere/s.sock")


def test_a_server_that_answers_is_opened(server_url: str) -> None:
    store = open_store(server_url)
    assert store.ping()
    store.close()


def test_a_wrong_password_is_unavailable(server_url: str) -> None:
    with pytest.raises(StoreUnavailable) as failure:
        open_store(server_url.replace("unix://", f"unix://user:{PASSWORD}@"))
    assert PASSWORD not in str(failure.value)


def test_options_that_redis_does_not_know_are_refused_before_a_connection() -> None:
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match="known options"):
            act("redis+cluster://h?nonsense=1")


def test_a_url_knows_nothing_of_its_options() -> None:
    assert ClusterUrl("redis", "", (("a", 1),), "?x=1").node(("b", 2)) == "redis://b:2?x=1"


@pytest.mark.parametrize("password", ["p@ss#S3CR3T", "S3CR3T/x", "S3CR3T?x", "S3#CR3T"])
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_a_password_that_is_not_quoted_gets_a_hint(scheme: str, password: str) -> None:
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match="write # as %23") as refused:
            act(f"{scheme}://:{password}@127.0.0.1:6379/0")
        assert not any(part in str(refused.value) for part in ("S3CR3T", "CR3T", "p@ss"))


def test_a_port_that_expects_tls_gets_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:

        def hang_up() -> None:
            client, _ = server.accept()
            client.recv(100)
            client.close()

        hanging = threads.submit(hang_up)
        with pytest.raises(StoreUnavailable, match="write rediss:// in the url"):
            open_store(f"redis://127.0.0.1:{server.getsockname()[1]}")
        hanging.result()


@pytest.mark.fault(75)
@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("MOVED 3999 127.0.0.1:6381", "redis+cluster://"),
        ("the server hung up", "rediss://"),
        ("NOAUTH Authentication required.", ":PASSWORD@"),
        ("LOADING Redis is loading the dataset in memory", ""),
    ],
)
def test_what_a_server_says_has_a_remedy(
    reason: str, remedy: str, caplog: pytest.LogCaptureFixture
) -> None:
    LookupLog(logging.getLogger("recommender.hints"), "acme").failure("e", StoreUnavailable(reason))
    assert remedy in caplog.text
    assert bool(remedy) == ("; " in caplog.text)
    with pytest.raises(StoreUnavailable) as refused, store_errors("store s", "start the server"):
        raise RedisError(reason)
    assert (remedy or "start the server") in str(refused.value)
