"""Why an item is in a list, and why not, where the answer is known."""

import csv
import json
import shutil
from pathlib import Path
from typing import cast

import pytest

from recommender.build.contents import read_catalogue
from recommender.cli.main import run
from recommender.cli.session import live_lists
from recommender.settings.loading import load
from tests.support.shop_files import SMALL_SHOP, write_small_shop

RECIPE = """
[recipe]
content.text = { use = "hashing", dimensions = 64 }

[recipe.interactions]
behaviour = { use = "co-occurrence-svd", dimensions = 16 }

[[recipe.placements]]
name = "related"
fusion = "gated"
candidates = ["nearest", "co-occurrence"]
ranker = "identity"
filters = ["in-stock", "one-per-group"]
shown = 3
depth = 6

[[recipe.placements]]
name = "strict"
fusion = "gated"
candidates = ["nearest"]
ranker = "identity"
filters = []
min_score = 0.25
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_small_shop(tmp_path_factory.mktemp("explained"))
    path.write_text(path.read_text().partition("[recipe]")[0] + RECIPE)
    assert run(["reindex", "--config", str(path)]) == 0
    return path


class Asked:
    """`recommender explain` of one shop, as JSON."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config, self.capsys = ["--config", str(config)], capsys

    def __call__(self, item: str, other: str, placement: str = "related") -> dict[str, object]:
        self.capsys.readouterr()
        where = [*self.config, "--placement", placement, "--json"]
        assert run(["explain", item, other, *where]) == 0
        answer: dict[str, object] = json.loads(self.capsys.readouterr().out)
        return answer

    def listed(self, item: str, n: int, placement: str = "related") -> list[str]:
        self.capsys.readouterr()
        where = ["-n", str(n), *self.config, "--placement", placement, "--json"]
        assert run(["related", item, *where]) == 0
        return [entry["id"] for entry in json.loads(self.capsys.readouterr().out)["items"]]


@pytest.fixture
def asked(config: Path, capsys: pytest.CaptureFixture[str]) -> Asked:
    return Asked(config, capsys)


def test_every_entry_is_explained_at_its_place(asked: Asked) -> None:
    for rank, other in enumerate(asked.listed("20000", 6), 1):
        found = asked("20000", other)
        standing = found["standing"]
        assert isinstance(standing, dict)
        assert standing["rank"] == rank
        assert str(found["verdict"]).startswith(f"it is in the list, at rank {rank}")
        assert ("after the 3" in str(found["verdict"])) == (rank > 3)
        assert found["generation"] == 1


def test_why_not(asked: Asked, config: Path) -> None:
    settings = load(config)
    live, _ = live_lists(settings)
    assert live is not None
    catalogue = read_catalogue(settings.artifact_store(), live.build)
    found_by_reason: dict[str, dict[str, object]] = {}
    for other in catalogue.ids.ids:
        if {"out", "ranked", "no"} <= set(found_by_reason):
            break
        found = asked("20000", other)
        if found["standing"] is None:
            found_by_reason[str(found["verdict"]).partition(" ")[0]] = found
    assert found_by_reason["out"]["dropped_by"] == "in-stock"
    assert not catalogue.in_stock[catalogue.ids.row(str(found_by_reason["out"]["other"]))]
    assert str(found_by_reason["ranked"]["verdict"]).endswith(
        "of those that pass the filters, the list has 6"
    )
    assert found_by_reason["no"]["ranked"] is None
    assert asked("20000", "20000")["verdict"] == "an item is never in its own list"


def test_a_variant_of_the_item_itself(asked: Asked) -> None:
    with (SMALL_SHOP / "catalogue.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] and row["in_stock"] == "true"]
    first, second = next(
        (one["item_id"], other["item_id"])
        for one in rows
        for other in rows
        if one is not other and one["group"] == other["group"]
    )
    assert asked(first, second)["verdict"] == "a variant of the item itself"


def test_ranks_and_counts(asked: Asked) -> None:
    for rank, other in enumerate(asked.listed("20000", 3, "strict"), 1):
        found = asked("20000", other, "strict")
        (proposed,) = cast("list[dict[str, int]]", found["proposed"])
        assert proposed["rank"] == rank
        assert proposed["asked"] >= rank
        together = cast("list[dict[str, object]]", found["together"])
        assert {one["kind"] for one in together} == {"purchase", "view"}


def test_an_entry_below_the_lowest_score(asked: Asked, config: Path) -> None:
    n_entries = cast("int", asked("20000", "20000", "strict")["entries"])
    store = load(config).artifact_store()
    live, _ = live_lists(load(config))
    assert live is not None
    ids = read_catalogue(store, live.build).ids.ids
    verdicts = (str(asked("20000", other, "strict")["verdict"]) for other in ids)
    assert n_entries <= 36
    assert next(verdict for verdict in verdicts if "below min_score 0.25" in verdict)


def test_directions_differ(asked: Asked) -> None:
    other = asked.listed("20000", 1)[0]
    there, back = asked("20000", other), asked(other, "20000")
    assert there["reverse"] == back["standing"]
    assert back["reverse"] == there["standing"]


def test_a_page_for_people(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["explain", "20000", "20370", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    assert "the other way round" in said
    off = ["--set", "store.url=redis://127.0.0.1:1/0"]
    assert run(["explain", "20000", "20370", "--config", str(config), *off]) == 0
    assert "published last" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["20000", "2037O"], 4, "did you mean '20370'"),
        (["20000", "20370", "--placement", "relatd"], 3, "has related, strict"),
    ],
)
def test_wrong_questions(
    config: Path,
    arguments: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain", *arguments, "--config", str(config)]) == code
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with rules applied to its lists: the third of a list is excluded, the sixth pinned."""
    path = write_small_shop(tmp_path_factory.mktemp("ruled"))
    own = shutil.copy(SMALL_SHOP / "catalogue.csv", path.parent)
    settings = path.read_text().partition("[recipe]")[0] + RECIPE
    path.write_text(settings.replace(str(SMALL_SHOP / "catalogue.csv"), str(own)))
    assert run(["reindex", "--config", str(path)]) == 0
    return path


def test_rules_of_merchandisers_are_reported(
    ruled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(ruled, capsys)
    third, sixth = asked.listed("20000", 6)[2::3]
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        f"rules:\n- name: not this\n  exclude: '{third}'\n"
        f"- name: this first\n  pin: '{sixth}'\n  lists_of: '20000'\n  position: 1\n"
        f"- name: nor this\n  pin: '{third}'\n  lists_of: '20000'\n  position: 2\n"
    )
    assert run(["rules", "apply", str(rules), "--config", str(ruled)]) == 0
    served = asked.listed("20000", 6)
    assert served[0] == sixth
    for rank, other in enumerate(served, 1):
        standing = cast("dict[str, int]", asked("20000", other)["standing"])
        assert standing["rank"] == rank
    out, pinned = asked("20000", third), asked("20000", sixth)
    assert str(out["verdict"]).startswith("a merchandisers' rule keeps it out: not this (exclude")
    acts = cast("list[dict[str, object]]", out["merchandised"])
    assert {(one["name"], one["deed"], one["on_other"]) for one in acts} == {
        ("not this", "moved", True),
        ("this first", "moved", False),
        ("nor this", "barred", True),
    }
    assert "at rank 1; a merchandisers' rule moved it: this first (pin" in str(pinned["verdict"])
    capsys.readouterr()
    assert run(["explain", "20000", third, "--config", str(ruled)]) == 0
    said = capsys.readouterr().out
    assert "with an overlay of 3 merchandisers' rules" in said
    assert max(map(len, said.splitlines())) <= 100


def test_a_refreshed_item_that_left_the_list_is_explained(
    ruled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(ruled, capsys)
    other = asked.listed("20000", 6)[1]
    catalogue = ruled.parent / "catalogue.csv"
    with catalogue.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["item_id"] == other:
            row["in_stock"] = "false"
    with catalogue.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    assert run(["refresh", other, "--config", str(ruled)]) == 0
    found = asked("20000", other)
    assert found["standing"] is None
    assert "an overlay published later removed it" in str(found["verdict"])
    for rank, entry in enumerate(asked.listed("20000", 6), 1):
        assert cast("dict[str, int]", asked("20000", entry)["standing"])["rank"] == rank
