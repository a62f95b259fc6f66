"""Ids of 40 characters in a terminal of 80 columns: titles give way, ids never."""

import pytest

from recommender.cli import terminal
from recommender.cli.main import run
from tests.cli.shop import said
from tests.support.shop_files import orders, write_shop

A, B, C = (f"{letter}-{'0123456789' * 4}"[:40] for letter in "ABC")
BASKETS = [(A, B, C), (A, B), (B, C), (C, A)] * 3


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments that name a shop of long ids, with two generations."""
    folder = tmp_path_factory.mktemp("long")
    config = ["--config", str(write_shop(folder, orders(*BASKETS)))]
    assert run(["reindex", *config]) == 0
    write_shop(folder, orders(*BASKETS, (A, C), (A, C)))
    assert run(["reindex", *config]) == 0
    return config


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        (["related", A], (A, B, C)),
        (["related", A, "--page", "related"], (B, C)),
        (["search", "title"], (A, B, C)),
        (["explain", A, B], (A, B)),
        (["items", "show", A], (A,)),
        (["lint"], ()),
        (["generations"], ("generation", "live", "previous")),
        (["diff", "previous", "live"], ()),
        (["status"], ("generation 2",)),
    ],
    ids=lambda given: " ".join(each[:8] for each in given),
)
def test_ids_are_never_cut(
    command: list[str],
    ids: tuple[str, ...],
    where: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(terminal, "WIDTH", 80)
    shown = said([*command, *where], capsys)
    assert max(map(len, shown.splitlines())) <= 80
    for each in ids:
        assert each in shown
