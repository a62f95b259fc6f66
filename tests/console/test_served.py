"""The console beside the API: the ways to sign in that the settings name."""

import pickle
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from recommender.console.served import ServedConsole
from recommender.errors import ConfigError
from recommender.service.keys import new_key
from recommender.service.mounted import KeptPeer
from recommender.settings.model import Settings
from recommender.settings.service import ServiceSettings
from tests.console.conftest import ORIGIN, form_token

HOME, SIGN_IN = "/console/acme/", "/console/~/sign-in"


def test_a_console_that_nobody_could_enter_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(ConfigError, match="nobody could sign in"):
        ServedConsole({"acme": (settings, url)}, ServiceSettings())


def test_processes_know_each_others_sessions(settings: Settings, url: str, tmp_path: Path) -> None:
    key, kept = new_key("anna", ["read"])
    (tmp_path / "keys").write_text(f"{kept.line()}\n")
    service = ServiceSettings(api_keys=str(tmp_path / "keys"))
    served = ServedConsole({"acme": (settings, url)}, service)
    one, other = served(), pickle.loads(pickle.dumps(served))()
    client = TestClient(one, base_url=ORIGIN)
    token = form_token(client.get(SIGN_IN).text)
    assert client.post(SIGN_IN, data={"csrf": token, "key": key}).status_code == 200
    second = TestClient(other, base_url=ORIGIN, cookies=client.cookies)
    assert second.get(HOME).url.path == HOME
    for app in (one, other):
        with TestClient(app):
            pass


def test_a_proxy_signs_in_although_it_names_its_client(settings: Settings, url: str) -> None:
    service = ServiceSettings(console_user_header="x-user", console_roles=("read", "operate"))
    app = ServedConsole({"acme": (settings, url)}, service)()
    named = {"x-user": "ben", "x-forwarded-for": "10.9.8.7"}
    for peer, seen in (("127.0.0.1", HOME), ("10.0.0.2", SIGN_IN)):
        client = TestClient(KeptPeer(app), base_url=ORIGIN, client=(peer, 5000), headers=named)
        answer = client.get(HOME)
        assert answer.url.path == seen
        assert ("Signed in as ben" in answer.text) == (seen == HOME)
    with TestClient(app):
        pass
