"""Damaged and random input for everything that reads hostile bytes.

A failure prints the smallest input found; `python -m tests.fuzz TARGET --seed N` repeats a round.
"""

import itertools

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.fuzzing import TookTooLong, fuzz, limited
from tests.fuzz.targets import TARGETS, Target

LONG_MINUTES = 10


def marked(name: str) -> object:
    return pytest.param(name, marks=[pytest.mark.model] if name.startswith("bert") else [])


@pytest.mark.fault("S10")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", [marked(name) for name in TARGETS])
def test_damaged_input_is_read_or_refused(name: str) -> None:
    fuzz(TARGETS[name], number=20, examples=TARGETS[name].examples)


@pytest.mark.long
@pytest.mark.filterwarnings("default")
@pytest.mark.timeout(60 * (LONG_MINUTES + 10))
@pytest.mark.parametrize("name", [marked(name) for name in TARGETS])
def test_ten_minutes_of_damaged_input(name: str) -> None:
    assert main([name, "--minutes", str(LONG_MINUTES)]) == 0


def target(read: object) -> Target:
    return Target(read, lambda: [b"good"], (ValueError,))  # type: ignore[arg-type]


def test_other_errors_are_found_and_allowed_ones_are_not() -> None:
    def read(_folder: object, content: bytes) -> None:
        if len(content) > 4:
            raise KeyError
        raise ValueError

    with pytest.raises(KeyError):
        fuzz(target(read), 1, 100)
    fuzz(target(lambda _folder, _content: int("x")), 1, 100)


def test_too_much_memory_is_found() -> None:
    with pytest.raises(MemoryError):
        fuzz(target(lambda _folder, _content: bytes(2**33)), 1, 5)


def test_what_does_not_end_is_ended() -> None:
    def forever() -> None:
        with limited(cpu_s=0.1):
            for _ in itertools.count():
                pass

    with pytest.raises(TookTooLong):
        forever()


def test_a_failure_says_how_it_is_repeated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_folder: object, _content: bytes) -> None:
        raise KeyError

    monkeypatch.setattr("tests.fuzz.__main__.TARGETS", {"one": target(read)})
    assert main(["one", "--minutes", "0", "--seed", "7"]) == 1
    assert "python -m tests.fuzz one --minutes 0 --seed 7" in capsys.readouterr().out
