"""URLs of stores: their parts, and what is shown of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import ConfigError
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from recommender.serving.urls import cluster_url, redacted, sentinel_url

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


# The URL of Sentinels


def test_sentinels_are_named_with_their_service() -> None:
    found = sentinel_url(
        f"rediss+sentinel://u:{PASSWORD}@h:1,i,[::1]:7/shop/2"
        "?ssl_ca_certs=/ca%20x&sentinel_username=s&sentinel_password=p%40%23"
    )
    assert found is not None
    assert found.sentinels == (("h", 1), ("i", 26379), ("::1", 7))
    assert found.service == "shop"
    assert found.server(("j", 9)) == f"rediss://u:{PASSWORD}@j:9/2?ssl_ca_certs=%2Fca+x"
    assert found.sentinel(("::1", 7)) == "rediss://s:p%40%23@[::1]:7?ssl_ca_certs=%2Fca+x"


def test_sentinels_may_need_no_login() -> None:
    found = sentinel_url("redis+sentinel://h/shop")
    assert found is not None
    assert found.sentinel(("h", 26379)) == "redis://h:26379"
    assert found.server(("j", 9)) == "redis://j:9/0"
    only_password = sentinel_url("redis+sentinel://h/shop?sentinel_password=p")
    assert only_password is not None
    assert only_password.sentinel(("h", 1)) == "redis://:p@h:1"


def test_other_urls_name_no_sentinels() -> None:
    for url in ("redis://h", "redis+cluster://h", "unix:///s.sock", "embedded", ""):
        assert sentinel_url(url) is None


@pytest.mark.parametrize(
    "rest",
    ["", "h", "h/", "h:port/shop", "h:0/shop", "a,,b/shop", "h/shop/x", "h/shop/1/2", "[::1/shop"],
)
def test_what_names_no_sentinels_is_refused(rest: str) -> None:
    url = f"redis+sentinel://u:{PASSWORD}@{rest}"
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match=r"store url") as refusal:
            act(url)
        assert PASSWORD not in str(refusal.value)


def test_options_that_redis_does_not_know_are_refused_for_sentinels_as_well() -> None:
    for act in (open_store, lambda url: RelatedItems(url, "acme")):
        with pytest.raises(ConfigError, match="with known options"):
            act("redis+sentinel://h/shop?nonsense=1")


def test_the_passwords_of_sentinels_are_not_shown() -> None:
    url = f"redis+sentinel://u:{PASSWORD}@h/shop?sentinel_password={PASSWORD}&x=1"
    assert PASSWORD not in redacted(url)
