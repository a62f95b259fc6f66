"""Online Retail from end to end: all items published, neighbours that make sense."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from data_fixtures.__main__ import main as fixtures
from recommender.build.contents import find_build, read_catalogue, read_interactions
from recommender.cli.main import run
from recommender.settings.loading import load
from tests.support.repository import CONFIG

SEED_ITEM = "85123A"

pytestmark = [pytest.mark.data, pytest.mark.model]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options under which Online Retail is live."""
    if "RECOMMENDER_DATA" not in os.environ:
        pytest.skip("RECOMMENDER_DATA is not set: no real data here")
    source = Path(os.environ["RECOMMENDER_DATA"]) / "online_retail" / "online_retail.csv.gz"
    folder = tmp_path_factory.mktemp("online-retail")
    assert fixtures(["online-retail", str(source), "--out", str(folder)]) == 0
    options = [
        *("--config", str(CONFIG / "examples" / "online_retail.toml")),
        *("--set", f"interactions.path={folder / 'orders.csv.gz'}"),
        *("--set", f"state.folder={folder / 'state'}"),
    ]
    assert run(["reindex", *options]) == 0
    return options


def test_every_item_has_its_list(live: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["generations", *live]) == 0
    assert "3,791" in capsys.readouterr().out
    assert run(["reindex", *live]) == 0
    assert "Nothing changed" in capsys.readouterr().out


def test_neighbours_make_sense(live: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["related", SEED_ITEM, "--json", *live]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["items"]) == 12
    lift = lifts(live)
    good = [
        entry
        for entry in answer["items"]
        if any(word in entry["title"] for word in ("HEART", "HOLDER", "T-LIGHT"))
        or lift[entry["id"]] > 3
    ]
    assert len(good) >= 8


def lifts(live: list[str]) -> dict[str, float]:
    """Lift of every item with the seed item over all baskets."""
    settings = load(Path(live[1]), [live[3], live[5]])
    artifacts = settings.artifact_store()
    key = next(Path(artifacts.root, settings.shop, "build").iterdir()).name
    build = find_build(artifacts, key)
    seen = read_interactions(artifacts, build).matrix("basket")
    ids = read_catalogue(artifacts, build).ids
    together = np.asarray((seen[:, [ids.row(SEED_ITEM)]].T @ seen).todense()).ravel()
    counts: np.ndarray = np.asarray(seen.sum(axis=0)).ravel()
    expected = counts * counts[ids.row(SEED_ITEM)] / seen.shape[0]
    return dict(zip(ids, (together / expected).tolist(), strict=True))
