"""The whole of Complete Journey, from its package to related lists."""

import json
from pathlib import Path

import pytest

from data_fixtures.__main__ import main as fixtures
from recommender.cli.main import run
from tests.support.repository import CONFIG

SETTINGS = CONFIG / "examples" / "complete_journey.toml"
BOUGHT_ONCE, BOUGHT_OFTEN = "610561", "1004596"
"""Two frozen pizzas: one order knows the first, 123 the second."""


@pytest.mark.long
@pytest.mark.model
@pytest.mark.timeout(1800)
def test_every_product_sold_has_its_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fixtures(["complete-journey", "--out", str(tmp_path)]) == 0
    options = [
        *("--config", str(SETTINGS)),
        *("--set", f"catalogue.path={tmp_path / 'catalogue.parquet'}"),
        *("--set", f"interactions.path={tmp_path / 'orders.parquet'}"),
        *("--set", f"state.folder={tmp_path / 'state'}"),
    ]
    assert run(["reindex", *options]) == 0
    said = capsys.readouterr().out
    assert "68,509 related lists" in said
    assert "17 sold but not in the catalogue" in said
    listed = {}
    for pizza in (BOUGHT_ONCE, BOUGHT_OFTEN):
        assert run(["related", pizza, "--json", *options]) == 0
        listed[pizza] = json.loads(capsys.readouterr().out)["items"]
        assert len(listed[pizza]) == 12
    assert sum("PIZZA" in entry["title"] for entry in listed[BOUGHT_ONCE]) == 12
    assert {entry["evidence"] for entry in listed[BOUGHT_ONCE]} == {"text"}
    assert "PIZZA/PREMIUM" in listed[BOUGHT_OFTEN][0]["title"]
    behaviour = sum(entry["evidence"] != "text" for entry in listed[BOUGHT_OFTEN])
    assert behaviour >= 9
