"""Forms, and requests that are refused."""

import pytest
from starlette.testclient import TestClient

from recommender.console import visits
from tests.console.conftest import ORIGIN, form_token

SIGN_IN, HOME = "/console/~/sign-in", "/console/acme/"


def test_forms_need_the_token_of_their_session(client: TestClient) -> None:
    stranger = TestClient(client.app, base_url=ORIGIN)
    foreign = form_token(stranger.get(SIGN_IN).text)
    for token in ("", "x" * 64, foreign):
        answer = client.post("/console/~/sign-out", data={"csrf": token})
        assert answer.status_code == 403
    assert client.get(HOME).url.path == HOME


def test_a_form_is_bounded_and_read_as_what_it_is(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = form_token(client.get(HOME).text)
    for body in (b"csrf=%ff", b"csrf=\xff", b"&".join([b"a=1"] * 3000)):
        assert client.post("/console/~/sign-out", content=body).status_code == 400
    monkeypatch.setattr(visits, "FORM_BYTES", 100)
    large = f"csrf={token}&x={'x' * 100}"
    assert client.post("/console/~/sign-out", content=large).status_code == 413


def test_htmx_is_told_to_sign_in_instead_of_being_led_away(visitor: TestClient) -> None:
    answer = visitor.get(HOME, headers={"hx-request": "true"}, follow_redirects=False)
    assert answer.status_code == 401
    assert "You are signed out" in answer.text
