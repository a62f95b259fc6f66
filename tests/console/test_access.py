"""Signing in by the link, by an API key and by a proxy; sessions, roles, forms and their limits."""

import pytest
from starlette.testclient import TestClient

from recommender.console import access
from recommender.console.access import Access, Proxy, Seal, Session
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop
from recommender.service.keys import KeyRing, new_key
from tests.console.conftest import ORIGIN, form_token

SIGN_IN = "/console/~/sign-in"
HOME = "/console/acme/"


def test_the_link_signs_in_once(visitor: TestClient, shop: LiveShop) -> None:
    assert visitor.get(HOME).url.path == SIGN_IN
    entered = visitor.get("/console/~/enter?token=once")
    assert entered.url.path == HOME
    cookie = entered.history[0].headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    visitor.cookies.clear()
    again = visitor.get("/console/~/enter?token=once")
    assert again.status_code == 403
    assert visitor.get(HOME).url.path == SIGN_IN


def keyed(shop: LiveShop, *roles: str, wrong_per_minute: float = 10) -> tuple[TestClient, str]:
    """A browser of a console that takes an API key, and the key."""
    key, kept = new_key("anna", roles)
    access = Access(keys=KeyRing([kept]), wrong_per_minute=wrong_per_minute)
    app = create_console({shop.name: shop}, access)
    return TestClient(app, base_url=ORIGIN), key


def signed_in(client: TestClient, key: str) -> int:
    token = form_token(client.get(SIGN_IN).text)
    answer = client.post(SIGN_IN, data={"csrf": token, "key": key})
    return int(answer.status_code)


def test_an_api_key_signs_in_and_a_wrong_one_does_not(shop: LiveShop) -> None:
    client, key = keyed(shop, "read")
    assert signed_in(client, "wrong") == 403
    assert client.get(HOME).url.path == SIGN_IN
    before = client.cookies["recommender_console_8090"]
    assert signed_in(client, key) == 200
    assert client.cookies["recommender_console_8090"] != before
    assert "Signed in as anna" in client.get(HOME).text
    token = form_token(client.get(HOME).text)
    client.post("/console/~/sign-out", data={"csrf": token})
    assert client.get(HOME).url.path == SIGN_IN


def test_a_key_without_the_role_read_sees_nothing(shop: LiveShop) -> None:
    client, key = keyed(shop, "operate")
    assert signed_in(client, key) == 403
    assert client.get(HOME).status_code == 403


def test_wrong_keys_are_limited(shop: LiveShop) -> None:
    client, key = keyed(shop, "read", wrong_per_minute=3)
    assert [signed_in(client, "wrong") for _ in range(4)] == [403, 403, 403, 429]
    assert signed_in(client, key) == 429


def test_a_forged_or_expired_session_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    seal = Seal()
    session = Session.begun("anna", ["read"])
    cookie = seal.sealed(session)
    assert seal.opened(cookie) == session
    assert Seal().opened(cookie) is None
    assert seal.opened(cookie[:-1]) is None
    assert seal.opened("é.é") is None
    assert repr(seal) == "Seal()"
    monkeypatch.setattr(access, "SESSION_S", -1)
    assert seal.opened(seal.sealed(Session.begun("anna", ["read"]))) is None


def test_a_proxy_names_users_from_its_own_address_alone(shop: LiveShop) -> None:
    proxy = Proxy("x-user", ("read",), ("10.0.0.1",))
    app = create_console({shop.name: shop}, Access(proxy=proxy))
    for host, seen in (("10.0.0.1", HOME), ("10.0.0.2", SIGN_IN)):
        client = TestClient(app, base_url=ORIGIN, client=(host, 50000), headers={"x-user": "ben"})
        assert client.get(HOME).url.path == seen
