"""Merchandisers' rules as people use them: check, preview, apply, and the next reindex."""

import json
from pathlib import Path

import pytest

from recommender.cli.main import run
from tests.support.repository import CONFIG
from tests.support.shop_files import orders, write_shop, write_small_shop

EXAMPLE = CONFIG / "examples" / "rules.yaml"
BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
EXCLUDED = "rules:\n- name: no-b\n  exclude: b\n"


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The generated shop with one generation live."""
    config = write_small_shop(tmp_path_factory.mktemp("small"))
    assert run(["reindex", "--config", str(config)]) == 0
    return ["--config", str(config)]


@pytest.fixture
def shop(tmp_path: Path) -> list[str]:
    """A tiny shop of its own, with one generation live."""
    config = write_shop(tmp_path, orders(*BASKETS))
    assert run(["reindex", "--config", str(config)]) == 0
    return ["--config", str(config)]


def written(folder: Path, text: str) -> str:
    path = folder / "rules.yaml"
    path.write_text(text)
    return str(path)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    capsys.readouterr()
    assert run(arguments) == code
    told = capsys.readouterr()
    return told.out if code in {0, 4} and told.out else told.err


def ids(shop: list[str], item: str, capsys: pytest.CaptureFixture[str], code: int = 0) -> list[str]:
    answer = json.loads(said(["related", item, *shop, "--json"], capsys, code))
    return [entry["id"] for entry in answer["items"]]


def test_the_example_has_no_faults(
    small_shop: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(["rules", "check", str(EXAMPLE), *small_shop], capsys)
    assert "6 rules (6 valid), 0 errors, 0 warnings." in told
    assert max(map(len, told.splitlines())) <= 100
    found = json.loads(said(["rules", "check", str(EXAMPLE), *small_shop, "--json"], capsys))
    assert found["errors"] == 0
    assert found["findings"] == []
    assert all(rule["lists"]["related"] > 0 for rule in found["rules"])
    (placed,) = found["placements"]
    assert placed["n_lists"] == 300
    assert 0 < placed["n_affected"] < 300
    assert placed["n_short"] == 0


def test_a_merchandisers_slips_are_all_told(
    small_shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = written(
        tmp_path,
        "rules:\n"
        "- {name: typo, exclude: 2o000}\n"
        "- {name: wrong date, bury: '20000', by: 2, from: 01.03.2026}\n"
        "- {name: brand, exclude: {brand: moretti}}\n"
        "- {name: slot, exclude: '20000', placement: relatd}\n"
        "- {name: one, pin: '20037', position: 1, lists_of: {category: Garden}}\n"
        "- {name: two, pin: '20074', position: 1, lists_of: {category: Garden > Watering}}\n"
        "- {name: three, exclude: '20037', lists_of: {brand: Marlow}}\n"
        "- {name: dead, exclude: {brand: Oriel, category: Garden}}\n"
        "- {name: old, exclude: gone, until: 2020-01-01}\n"
        "- {name: later, exclude: '20000', from: 2199-01-01}\n"
        "- {name: sold out, pin: '20148', position: 1, lists_of: {category: Toys}}\n"
        "- {name: all, exclude: {category: [Garden, Kitchen, Home, Office, Sports, Toys, Outdoor]},"
        " lists_of: '20000', until: 2199-01-01}\n",
    )
    found = json.loads(said(["rules", "check", rules, *small_shop, "--json"], capsys, 4))
    told = [(one["level"], one["kind"], one["rule"]) for one in found["findings"]]
    assert told[:4] == [
        ("error", "unknown", "typo"),
        ("error", "malformed", "wrong date"),
        ("error", "unknown", "brand"),
        ("error", "unknown", "slot"),
    ]
    warned = {(kind, rule) for level, kind, rule in told if level == "warning"}
    assert {("conflict", "one"), ("conflict", "two"), ("dead", "dead")} <= warned
    assert {("expired", "old"), ("not yet valid", "later")} <= warned
    assert "did you mean 'Moretti'?" in found["findings"][2]["message"]
    told_lines = said(["rules", "check", rules, *small_shop], capsys, 4)
    assert "A rule file with errors is not applied." in told_lines
    assert "rule 'wrong date'" in said(["rules", "apply", rules, *small_shop], capsys, 4)


def test_check_looks_at_another_day(
    small_shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = written(tmp_path, EXCLUDED.replace("b", "20000") + "  from: 2199-01-01\n")
    told = said(["rules", "check", rules, *small_shop, "--date", "2199-06-01"], capsys)
    assert "2199-06-01: 1 rule (1 valid), 0 errors, 0 warnings." in told
    assert "will be valid" in said(["rules", "check", rules, *small_shop], capsys)


def test_check_before_anything_is_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    where = ["--config", str(config)]
    rules = written(tmp_path, "rules:\n- {name: x, exclude: z, placement: relatd}\n")
    told = said(["rules", "check", rules, *where], capsys, 4)
    assert "there is no item 'z'" in told
    assert "there is no placement 'relatd'; did you mean 'related'?" in told
    assert "Nothing is live yet" in told
    assert "nothing is live yet" in said(["rules", "apply", rules, *where], capsys, 4)


def test_lists_that_fall_short_are_counted(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = written(tmp_path, "rules:\n- {name: most, exclude: [b, c, d, e]}\n")
    found = json.loads(said(["rules", "check", rules, *shop, "--json"], capsys))
    (placed,) = found["placements"]
    assert placed["n_short"] == 6
    assert [one["kind"] for one in found["findings"]] == ["short"]
    assert "6 lists of related in which it acts fall short of 12" in str(found["findings"])


def test_preview_in_the_terminal_and_as_a_page(
    small_shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = tmp_path / "page.html"
    told = said(["rules", "preview", str(EXAMPLE), *small_shop, "--html", str(html)], capsys)
    assert "6 valid rules; of 300 related lists" in told
    assert max(map(len, told.splitlines())) <= 100
    assert "Lists that change most" in html.read_text()
    one = said(["rules", "preview", str(EXAMPLE), *small_shop, "--item", "22146"], capsys)
    assert "launch-jug" in one
    assert one.count("before") == 1
    told = said(["rules", "preview", str(EXAMPLE), *small_shop, "--item", "221466"], capsys, 3)
    assert "item '221466' is not in the live lists" in told
    told = said(["rules", "preview", str(EXAMPLE), *small_shop, "--placement", "x"], capsys, 3)
    assert "placement 'x' is not live; there are related" in told


def test_apply_is_live_at_once_and_gone_when_there_are_no_rules(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ids(shop, "a", capsys)
    assert "b" in before
    rules = written(tmp_path, EXCLUDED)
    told = said(["rules", "apply", rules, *shop], capsys)
    assert "Overlay 2 over generation 1 of acme is live: 1 rule" in told
    assert "merchandising.rules is not set: the next reindex drops these rules." in told
    assert "b" not in ids(shop, "a", capsys)
    assert "b" not in ids(shop, "unheard of", capsys, 4)
    written(tmp_path, "rules:\n- {name: other, exclude: c}\n")
    said(["rules", "apply", rules, *shop], capsys)
    assert "b" in ids(shop, "a", capsys)
    assert "c" not in ids(shop, "a", capsys)
    written(tmp_path, "rules: []\n")
    told = said(["rules", "apply", rules, *shop], capsys)
    assert "Generation 1 of acme is live without an overlay" in told
    assert ids(shop, "a", capsys) == before


def test_unknown_names_are_refused_unless_they_may_be_left_out(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = written(tmp_path, EXCLUDED + "- name: gone\n  exclude: [zz, c]\n")
    told = said(["rules", "apply", rules, *shop], capsys, 4)
    assert "line 4: rule 'gone': there is no item 'zz'; see recommender rules check" in told
    assert "b" in ids(shop, "a", capsys)
    told = said(["rules", "apply", rules, *shop, "--skip-unknown"], capsys)
    assert "1 unknown name left out." in told
    assert not {"b", "c"} & set(ids(shop, "a", capsys))


def test_a_reindex_folds_the_same_rules_in(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = written(tmp_path, EXCLUDED + "- {name: gone, exclude: zz}\n")
    kept = [*shop, "--set", "merchandising.rules=rules.yaml"]
    told = said(["rules", "apply", *kept, "--skip-unknown"], capsys)
    assert "the next reindex" not in told
    applied = ids(shop, "a", capsys)
    told = said(["reindex", *kept], capsys)
    assert "merchandisers' rules: 2; unknown names in them: 1, see recommender rules" in told
    assert "Generation 3 of acme is live: 6 related lists" in told
    assert ids(shop, "a", capsys) == applied
    assert "Nothing changed: generation 3" in said(["reindex", *kept], capsys)
    Path(rules).write_text("# a comment\n" + Path(rules).read_text())
    assert "Nothing changed: generation 3" in said(["reindex", *kept], capsys)
    said(["gc", *kept], capsys)
    told = said(["rules", "apply", *kept, "--skip-unknown"], capsys)
    assert "Generation 3 of acme is live without an overlay" in told
    written(tmp_path, "rules: []\n")
    said(["rules", "apply", *kept], capsys)
    assert "b" in ids(shop, "a", capsys)
    told = said(["reindex", *kept], capsys)
    assert "Generation 5 of acme is live" in told
    assert "b" in ids(shop, "a", capsys)


def test_a_rule_file_that_is_wrong_stops_a_reindex_before_it_begins(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "rules:\n- {name: x, exlude: b}\n")
    told = said(["reindex", *shop, "--set", "merchandising.rules=rules.yaml"], capsys, 4)
    assert "rules.yaml line 2: rule 'x': unknown key 'exlude'; did you mean 'exclude'?" in told
    told = said(["reindex", *shop, "--set", "merchandising.rules=none.yaml"], capsys, 4)
    assert "none.yaml: No such file" in told


def test_without_a_file_there_is_nothing_to_check(
    shop: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(["rules", "check", *shop], capsys, 3)
    assert "no rule file: name one, or set merchandising.rules" in told
