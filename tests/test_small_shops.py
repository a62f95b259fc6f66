"""The default recipe in shops that lack something: users, baskets, orders, texts, times or data.

Items come in pairs that are taken together, so the right answer is known.
"""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from recommender.cli.main import run
from tests.cli.shop import said

PAIRS, UNITS = 20, 300
SETTINGS = """
shop = "acme"
recipe = "default"

[interactions]
path = "events.csv"
"""
CATALOGUE = """
[catalogue]
path = "catalogue.csv"
"""
SMALL = (
    "--set",
    "recipe.content.text={use='hashing', dimensions=64}",
    "--set",
    "recipe.interactions.behaviour.dimensions=16",
)
WORDS = ("lamp", "chair", "shelf", "clock", "mirror", "basket", "vase", "rug", "stool", "frame")
SHOPS = {
    "baskets alone": (("order_id", "time"), True, UNITS, "next +together"),
    "users alone": (("user_id", "time"), True, UNITS, "next +next"),
    "sessions alone": (("session_id", "time"), True, UNITS, "next +next"),
    "views alone": (("session_id", "kind", "time"), True, UNITS, "next +next"),
    "without texts": (("order_id", "user_id", "time"), False, UNITS, "related +together"),
    "without times": (("order_id",), True, UNITS, "next +together"),
    "30 baskets": (("order_id", "time"), True, 30, "related +together"),
}
"""Columns of the events, whether there is a catalogue, units, and what the ranker must learn."""


def write(folder: Path, columns: tuple[str, ...], with_texts: bool, n_units: int) -> Path:
    rng = np.random.default_rng(0)
    with (folder / "events.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("item_id", *columns))
        for unit in range(n_units):
            pair, other = rng.integers(0, PAIRS, 2)
            for place, item in enumerate({f"i{pair}a", f"i{pair}b", f"i{other}a"}):
                day = 1 + unit * 28 // n_units
                values = {
                    "order_id": f"o{unit}",
                    "session_id": f"s{unit}",
                    "user_id": f"u{unit}",
                    "kind": "view",
                    "time": f"2026-01-{day:02}T{unit % 24:02}:{place:02}:00Z",
                }
                writer.writerow((item, *(values[column] for column in columns)))
    settings = SETTINGS
    if with_texts:
        titles = [
            (f"i{pair}{half}", f"{WORDS[pair % 10]} {WORDS[pair // 10]} {half}")
            for pair in range(PAIRS)
            for half in "ab"
        ]
        with (folder / "catalogue.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("item_id", "title"), *titles])
        settings += CATALOGUE
    (folder / "recommender.toml").write_text(settings)
    return folder / "recommender.toml"


@pytest.mark.parametrize("lacking", SHOPS)
def test_what_goes_together_leads_the_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lacking: str
) -> None:
    columns, with_texts, n_units, words = SHOPS[lacking]
    config = write(tmp_path, columns, with_texts, n_units)
    weights = [f"--set=interactions.weights.{'view' if 'kind' in columns else 'purchase'}=1"]
    reported = said(["reindex", "--config", str(config), *weights, *SMALL], capsys)
    assert re.search(words, reported), reported
    lists = tmp_path / "lists.csv"
    assert run(["export", "lists", "--out", str(lists), "--config", str(config)]) == 0
    with lists.open(newline="") as file:
        entries = list(csv.DictReader(file))
    for placement in ("related", "next"):
        first = {
            one["item"]: one["related"]
            for one in entries
            if one["placement"] == placement and one["rank"] == "1"
        }
        right = [other[:-1] == item[:-1] for item, other in first.items()]
        assert len(first) > PAIRS / 2
        assert np.mean(right) > (0.7 if n_units == UNITS else 0.3)
