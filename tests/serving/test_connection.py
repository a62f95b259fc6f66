import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisError

from recommender.errors import ConfigError, StoreUnavailable
from recommender.serving.connection import (
    ClusterUrl,
    cluster_url,
    connection_pool,
    open_store,
    redacted,
    store_errors,
)
from recommender.serving.logs import LookupLog
from recommender.serving.lookup import RelatedItems

PASSWORD = "S3CR3T-xyz"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        (f"redis://:{PASSWORD}@host/1", "redis://***@host/1"),
        (f"rediss://user:{PASSWORD}@host:7/1", "rediss://***@host:7/1"),
        (f"redis://user:{PASSWORD}/@:?#@host/1", "redis://***@host/1"),
        (f"unix://user:{PASSWORD}@/run/s.sock?db=1", "unix://***@/run/s.sock?db=1"),
        (f"redis://host?db=1&password={PASSWORD}&x", "redis://host?db=1&password=***"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


@pytest.mark.fault("S14")
@given(st.text(), st.text())
def test_no_password_is_shown_whatever_the_url(scheme: str, host: str) -> None:
    assert PASSWORD not in redacted(f"{scheme}://:{PASSWORD}@{host}")


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


# The URL of a Cluster


@pytest.mark.parametrize(
    ("url", "seeds", "first"),
    [
        ("redis+cluster://h", (("h", 6379),), "redis://h:6379"),
        ("redis+cluster://h:1,i:2/0", (("h", 1), ("i", 2)), "redis://h:1"),
        (
            f"rediss+cluster://u:{PASSWORD}@h:1?ssl_ca_certs=/ca",
            (("h", 1),),
            f"rediss://u:{PASSWORD}@h:1?ssl_ca_certs=/ca",
        ),
        ("redis+cluster://[::1]:7,[fe80::1]", (("::1", 7), ("fe80::1", 6379)), "redis://[::1]:7"),
    ],
)
def test_a_cluster_is_named_by_some_of_its_nodes(
    url: str, seeds: tuple[tuple[str, int], ...], first: str
) -> None:
    found = cluster_url(url)
    assert found is not None
    assert found.seeds == seeds
    assert found.node(seeds[0]) == first


def test_other_urls_name_one_server() -> None:
    for url in ("redis://h", "rediss://h", "unix:///s.sock", "embedded", ""):
        assert cluster_url(url) is None


@pytest.mark.parametrize(
    "rest",
    ["", "h:port", "h:99999", "h:0", "a,,b", "h:1/1", "h:1?db=2", "h:1?db=x", "[::1", "h:1/nine"],
)
def test_what_names_no_cluster_is_refused(rest: str) -> None:
    url = f"redis+cluster://u:{PASSWORD}@{rest}"
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match=r"redis\+cluster") as refused:
            act(url)
        assert PASSWORD not in str(refused.value)


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
