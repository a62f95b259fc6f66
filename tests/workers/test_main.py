import pytest

from workers.__main__ import run


def failed(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_settings_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex", "--config", "nowhere.toml"]) == 3
    assert "there is no settings file" in failed(capsys)


def test_a_store_that_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex"]) == 7
    assert failed(capsys).startswith("workers: store redis://127.0.0.1:1/0: ")


@pytest.mark.parametrize("command", ["resume", "cancel"])
@pytest.mark.parametrize("name", ["beta.1", "acme", "../acme.1", "acme.x"])
def test_a_run_that_there_is_not(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, name]) == 3
    assert failed(capsys).startswith(("workers: run ", "workers: shop "))


@pytest.mark.parametrize("arguments", [[], ["reindex", "--shop", "acme"], ["publish"], ["resume"]])
def test_misuse_takes_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2
    assert failed(capsys).startswith("python -m workers")
