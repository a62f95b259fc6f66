"""No secret of a settings file is printed, whatever its form and whatever goes wrong with it."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.cli.main import run
from recommender.core import redaction
from recommender.errors import ConfigError
from recommender.settings.loading import load
from recommender.settings.secrets import check_quoted, is_secret

SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\'\""),
    min_size=8,
    max_size=30,
)
PLACES = (
    "state.user_key={secret!r}",
    "state.user_key=[{secret!r}]",
    "state.user_key={{a = {secret!r}}}",
    "state={secret!r}",
    "artifacts.signing_key={secret!r}",
    "artifacts.signing_key=[1, {secret!r}]",
    "text_api.key='two words {secret}'",
    "text_api.key=[{secret!r}]",
    "text_api={secret!r}",
    "text_api.url='https://:{quoted}@host/v1'",
    "store.url='redis://:{secret}@127.0.0.1:1/0'",
    "store.url='redis://:p@ss#{secret}@127.0.0.1:1/0'",
    "store.url='redis://user:{quoted}@127.0.0.1:1/0'",
    "store.url='redis://127.0.0.1:1/0?password={quoted}'",
    "store.url=['redis://:{secret}@127.0.0.1:1']",
    "store='redis://:{secret}@127.0.0.1:1'",
    "broker.url='amqp://u:{quoted}@127.0.0.1:1'",
    "artifacts.url='nowhere://KEY:{secret}@bucket'",
    "catalogue.url='postgresql://u:{quoted}@127.0.0.1:1/d'",
    "catalogue.url='postgresql://u:p@ss#{secret}@127.0.0.1:1/d'",
    "catalogue={{url = 'postgresql://u:{quoted}@h/d', query = 'select 1', scope = 'no'}}",
    "catalogue.path='https://u:{quoted}@127.0.0.1:1/a.csv'",
    "catalogue.path=['https://127.0.0.1:1/a.csv?sig={quoted}']",
    "interactions.url='postgresql://u:{quoted}@127.0.0.1:1/d'",
    "interactions=[{{url = 'postgresql://u:{quoted}@h/d', query = 'select 1', kind = 3}}]",
    "artifacts.url='nowhere://bucket?secret={quoted}'",
)


@pytest.fixture(autouse=True)
def nothing_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_concealed", set())


@pytest.mark.fault("S14")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS.map("Zq7{}".format), place=st.sampled_from(PLACES))
def test_no_secret_is_printed(
    file: Path, capsys: pytest.CaptureFixture[str], secret: str, place: str
) -> None:
    """By a command that reads the settings, and by one that connects to a store or bucket."""
    connects = place.startswith("store") or "nowhere" in place
    command = ("verify" if "nowhere" in place else "status") if connects else "config"
    assignment = place.format(secret=secret, quoted=quote(secret, safe=""))
    capsys.readouterr()
    run([command, "--config", str(file), "--set", assignment, "--debug"])
    printed = capsys.readouterr()
    for form in (secret, quote(secret, safe="")):
        assert form not in printed.out
        assert form not in printed.err


@pytest.mark.parametrize("place", [place for place in PLACES if "nowhere" in place])
def test_doctor_shows_no_secret_of_a_bucket(
    file: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    assignment = place.format(secret="S3CR3T/x+yz", quoted="S3CR3T")
    store = ["--set", "store.url=redis://127.0.0.1:1"]
    run(["doctor", "--config", str(file), "--set", assignment, *store, "--debug"])
    printed = capsys.readouterr()
    assert "S3CR3T" not in printed.out + printed.err


@pytest.mark.fault(75)
@pytest.mark.parametrize(
    "url",
    [
        "redis://:p@ss#word@host:6379/0",
        "redis://:pa/ss@host",
        "redis://:pa?ss@host",
        "rediss+cluster://u:a#b@h1,h2",
        "amqp://u:a/b@host//",
    ],
)
def test_a_password_that_must_be_quoted_is_refused_without_it(file: Path, url: str) -> None:
    table = "broker" if url.startswith("amqp") else "store"
    with pytest.raises(ConfigError, match=r"percent-encoded: %40 for @") as refused:
        load(file, [f"{table}.url={url}"])
    assert "p@ss" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "embedded",
        "redis://:p@ss@host:6379/0",  # what was read until now goes on to be read
        "redis://u:p%40ss%23@host/0",
        "redis://host/0?password=p@ss",
        "unix://:pw@/run/a@b.sock?db=1",
        "redis+cluster://h1:1,h2:2",
        "redis://host/0#x",
    ],
)
def test_what_can_be_read_is_accepted(url: str) -> None:
    assert check_quoted(url) == url


def test_a_setting_and_what_it_is_part_of_are_secret() -> None:
    assert is_secret(["state", "user_key"])
    assert is_secret(["state"])
    assert is_secret(["state", "user_key", 0])
    assert not is_secret(["state", "folder"])
