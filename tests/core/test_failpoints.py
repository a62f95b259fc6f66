"""Faults that tests inject: at which passage of which place, and what happens there."""

import errno
import signal
import subprocess
import sys
from collections import Counter

import pytest

from recommender.core import failpoints
from recommender.errors import ConfigError


@pytest.fixture(autouse=True)
def hits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the passages of this test alone."""
    monkeypatch.setattr(failpoints, "_hits", Counter())


@pytest.mark.parametrize("value", ["nowhere=kill@1", "publish.staged=boom@1", "publish.staged"])
def test_misspelt_failpoints_are_told(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, value)
    with pytest.raises(ConfigError, match="is not PLACE=ACTION@NUMBER"):
        failpoints.hit("publish.staged")


def test_only_the_passage_of_that_number_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "artifact.write=enospc@2;publish.staged=eio@1")
    failpoints.hit("artifact.write")
    with pytest.raises(OSError, match=r"failpoint artifact\.write") as full:
        failpoints.hit("artifact.write")
    assert full.value.errno == errno.ENOSPC
    failpoints.hit("artifact.write")
    with pytest.raises(OSError, match=r"failpoint publish\.staged") as broken:
        failpoints.hit("publish.staged")
    assert broken.value.errno == errno.EIO


def test_nothing_is_counted_while_none_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(failpoints.VARIABLE, raising=False)
    failpoints.hit("artifact.write")
    monkeypatch.setenv(failpoints.VARIABLE, "artifact.write=eio@1")
    with pytest.raises(OSError, match="failpoint"):
        failpoints.hit("artifact.write")


def test_a_process_is_killed_on_the_spot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, "publish.staged=kill@1")
    code = "from recommender.core import failpoints; failpoints.hit('publish.staged')"
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
