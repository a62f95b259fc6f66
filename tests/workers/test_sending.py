import pytest

from workers.__main__ import run


def failed(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_an_unknown_shop_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex", "--shop", "beta"]) == 3
    assert failed(capsys) == "workers: shop 'beta' is not one of acme\n"


def test_a_broker_that_is_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reindex", "--shop", "acme"]) == 7
    assert failed(capsys).startswith("workers: broker redis://127.0.0.1:1/0: ")


@pytest.mark.parametrize("arguments", [[], ["reindex"], ["publish"]])
def test_misuse_takes_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2
    assert failed(capsys).startswith("python -m workers")
