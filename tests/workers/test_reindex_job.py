"""The task itself, without a broker."""

import logging
import subprocess

import pytest

from recommender.errors import ConfigError, StoreUnavailable
from workers import command, tasks
from workers.command import CommandFailed
from workers.shops import configured


@pytest.mark.parametrize(
    "shop",
    ["../../etc/passwd", "acme/../x", "acme\n", "ACME", "", "beta", 7, None, ["a"], "a" * 5000],
)
def test_odd_shops_start_no_process(
    shop: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_process(*_: object, **__: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "run", no_process)
    monkeypatch.setattr(subprocess, "Popen", no_process)
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigError):
        tasks.reindex(shop)
    assert len(caplog.messages) == 1
    assert "\n" not in caplog.messages[0]
    assert len(caplog.messages[0]) < 200


def test_a_configured_shop_is_reindexed_from_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, ...]] = []
    monkeypatch.setattr(command, "run", lambda *arguments: given.append(arguments))
    tasks.reindex("acme")
    assert given == [("reindex", "--config", str(configured().file("acme")))]


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (StoreUnavailable("off"), 4),
        (CommandFailed(3, "config"), 1),
        (CommandFailed(4, "data"), 1),
        (CommandFailed(5, "artifact"), 1),
        (CommandFailed(6, "held"), 1),
    ],
)
def test_only_a_store_that_is_off_is_tried_again(
    error: Exception, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, ...]] = []

    def failing(*arguments: str) -> None:
        given.append(arguments)
        raise error

    monkeypatch.setattr(command, "run", failing)
    result = tasks.reindex.apply(args=("acme",))
    assert result.state == "FAILURE"
    assert result.result is error
    assert len(given) == attempts
