import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import ConfigError, StoreUnavailable
from recommender.serving.connection import connection_pool, open_store, redacted

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
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as failure:
        open_store(f"redis://:{PASSWORD}@127.0.0.1:{refused_port}/0")
    assert time.monotonic() - began < 1
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
