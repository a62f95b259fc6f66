"""Placements on the small shop: planted substitutes and complements, each in its own lists."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.build.contents import dropped_of, find_build, lists_and_own, read_lists
from recommender.build.job import Job, pinned
from recommender.build.steps import named, ready
from recommender.cli.run_report import print_health
from recommender.cli.terminal import console
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.lists import first_rows
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.core.related import EVIDENCE
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError
from recommender.evaluation.external_lists import published_lists
from recommender.evaluation.systems import related_lists
from recommender.pipeline import content_embeddings, plan, read_shop_columns
from recommender.ranking.training_set import near_by_content
from recommender.settings.loading import load
from recommender.settings.tables import RecipeSettings
from tests.support.builds import make
from tests.support.repository import CONFIG
from tests.support.shop_files import SMALL_SHOP, orders, write_shop, write_small_shop

READY_MADE = CONFIG / "recipes" / "placements.toml"
RULES = (Choice("in-stock"), Choice("one-per-group", {"variant": "best-selling"}))
SHOWN = 5

Shop = tuple[Catalogue, Interactions, Mapping[str, Embeddings]]
Relations = Mapping[str, Mapping[str, list[str]]]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The placements that ship, with an encoder that needs no model."""
    given = tomllib.loads(READY_MADE.read_text(encoding="utf-8"))
    given["content"] = {"text": {"use": "hashing"}}
    given["interactions"]["behaviour"]["dimensions"] = 32
    return RecipeSettings.model_validate(given).recipe()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    write_small_shop(folder)
    job = load(folder / "recommender.toml", ["recipe.content.text={use='hashing'}"]).job()
    read, catalogue, events = read_shop_columns(job)
    return catalogue, events, content_embeddings(job, read)


@pytest.fixture(scope="module")
def truth() -> Relations:
    found: Relations = json.loads((SMALL_SHOP / "truth.json").read_text(encoding="utf-8"))
    return found


def lists_of(shop: Shop, recipe: Recipe) -> dict[str, Neighbours]:
    catalogue, events, content = shop
    known = catalogue, content, lambda: near_by_content(recipe.index, content["text"])
    return related_lists(recipe, known, events, silent)


def recovered(shop: Shop, lists: Neighbours, related: Mapping[str, list[str]]) -> float:
    """Of the related products that can be bought, the share that stands in the first five."""
    catalogue = shop[0]
    shares = []
    for item, others in related.items():
        row = catalogue.ids.row(item)
        rows = [catalogue.ids.row(other) for other in others]
        products = {catalogue.group_codes[one] for one in rows if catalogue.in_stock[one]}
        first = lists.rows[row, :SHOWN]
        shown = {catalogue.group_codes[one] for one in first[first != NONE]}
        if products:
            shares.append(len(shown & products) / min(SHOWN, len(products)))
    return float(np.mean(shares))


def both(shop: Shop, lists: Neighbours, truth: Relations) -> tuple[float, float]:
    """How many substitutes and how many complements are recovered."""
    return (
        recovered(shop, lists, truth["substitutes"]),
        recovered(shop, lists, truth["complements"]),
    )


@pytest.mark.parametrize("kinds", [("purchase", "view"), ("purchase",)], ids="+".join)
def test_substitutes_and_complements_each_in_their_own_placement(
    shop: Shop, truth: Relations, recipe: Recipe, kinds: tuple[str, ...]
) -> None:
    """With views told apart by the logs, with orders alone by text and category."""
    catalogue, events, text = shop
    seen = catalogue, events.of_kinds(kinds), text
    made = lists_of(seen, recipe.only(["similar", "bought_together"]))
    substitutes, complements = both(shop, made["similar"], truth)
    assert substitutes >= 0.95
    assert complements <= 0.05
    substitutes, complements = both(shop, made["bought_together"], truth)
    assert complements >= 0.95
    assert substitutes <= 0.05


def test_text_alone_and_counts_alone_do_neither(
    shop: Shop, truth: Relations, recipe: Recipe
) -> None:
    by_text = Placement("text", Choice("concatenation", {"weights": {"text": 1.0}}), filters=RULES)
    by_counts = Placement(
        "counts",
        Choice("concatenation", {"weights": {"behaviour": 1.0}}),
        candidates=(Choice("co-occurrence", {"half_life_days": 1e6}),),
        filters=RULES,
    )
    made = lists_of(shop, replace(recipe, placements=(by_text, by_counts)))
    for lists in made.values():
        substitutes, complements = both(shop, lists, truth)
        assert substitutes < 0.95
        assert complements < 0.95
        assert not (substitutes >= 0.95 and complements <= 0.05)


def test_a_phone_leads_to_a_case_and_not_the_reverse(
    shop: Shop, truth: Relations, recipe: Recipe
) -> None:
    reverse: dict[str, list[str]] = {}
    for item, others in truth["complements"].items():
        for other in others:
            if other not in truth["complements"]:
                reverse.setdefault(other, []).append(item)
    made = lists_of(shop, recipe.only(["bought_together"]))["bought_together"]
    there = recovered(shop, made, truth["complements"])
    assert recovered(shop, made, reverse) < there / 4


@pytest.fixture(scope="module")
def built(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """All ready-made placements but the one that trains, built; in three shards."""
    folder = tmp_path_factory.mktemp("built")
    write_small_shop(folder)
    names = [one.name for one in recipe.placements if one.name != "related"]
    job = load(folder / "recommender.toml", ["limits.shard_items=128"]).job()
    job = replace(job, recipe=recipe.only(names))
    make(job)
    return job


def test_every_ready_made_placement_obeys_its_rules(built: Job) -> None:
    _, lists = make(built)
    catalogue = read_shop_columns(built)[1]
    by_name = {one.placement: one for one in lists()}
    for name in ("similar", "bought_together", "also_viewed", "trending"):
        assert (by_name[name].sizes == 36).all(), name
    for one in by_name.values():
        owner = np.repeat(np.arange(len(one)), one.sizes)
        assert catalogue.in_stock[one.entries.rows].all()
        assert (catalogue.group_codes[owner] != catalogue.group_codes[one.entries.rows]).all()
    brand, price = np.array(catalogue.brand), catalogue.price
    same = by_name["same_brand"]
    owner = np.repeat(np.arange(len(same)), same.sizes)
    assert (brand[owner] == brand[same.entries.rows]).all()
    cheaper = by_name["cheaper"]
    owner = np.repeat(np.arange(len(cheaper)), cheaper.sizes)
    assert (price[cheaper.entries.rows] <= 0.9 * price[owner]).all()
    assert len(cheaper.entries.rows)


def test_a_short_list_says_what_made_it_short(built: Job) -> None:
    build, _ = make(built)
    health = find_build(built.artifacts, build.key).summary["health"]
    assert health["short"]["similar"] == {"lists": 0, "by": {}}
    same_brand = health["short"]["same_brand"]
    assert same_brand["lists"] == 300
    assert same_brand["by"]["one-per-group"] > 1
    assert "same-brand" not in same_brand["by"]
    lists, own = lists_and_own(built.artifacts, build, "cheaper")
    placement = built.recipe.only(["cheaper"]).placements[0]
    sizes = np.bincount(np.repeat(np.arange(300), lists.sizes)[own], minlength=300)
    row = int(np.flatnonzero(sizes < placement.depth)[-1])
    reasons = dropped_of(built.artifacts, build, placement, row)
    assert set(reasons) <= {"in-stock", "one-per-group", "price-band"}
    assert reasons["price-band"] > 0
    shares = {tuple(one["placements"]): one["share"] for one in health["overlap"]}
    assert len(shares) == 21
    assert shares["similar", "bought_together"] < 0.1
    assert shares["similar", "cheaper"] > 0.1


def test_what_is_listed_by_popularity_is_no_filling(built: Job) -> None:
    build, _ = make(built)
    lists, own = lists_and_own(built.artifacts, build, "trending")
    assert (lists.entries.evidence == EVIDENCE.index("popular")).all()
    assert own.all()
    assert len(published_lists(built, build, "generation 1", "trending").item) == len(own)
    with pytest.raises(ConfigError, match="placement 'related': generation 1 has similar"):
        published_lists(built, build, "generation 1", "related")


def test_published_lists_are_judged_without_best_sellers(tmp_path: Path) -> None:
    write_small_shop(tmp_path)
    job = load(tmp_path / "recommender.toml", ["recipe.placements.0.min_score=0.5"]).job()
    build, _ = make(job)
    lists, own = lists_and_own(job.artifacts, build, "related")
    assert 0 < own.sum() < len(own)
    assert (own == (lists.entries.evidence != EVIDENCE.index("popular"))).all()
    assert len(published_lists(job, build, "generation 1").item) == own.sum()


def test_health_is_told_in_two_tables(built: Job, capsys: pytest.CaptureFixture[str]) -> None:
    build, _ = make(built)
    print_health(console(), find_build(built.artifacts, build.key).summary["health"])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 100
    assert re.search(r"^cheaper +300 +price-band \d", said, re.MULTILINE)
    assert re.search(r"^2 bought_together +\d+%", said, re.MULTILINE)
    capsys.readouterr()
    print_health(console(), {"short": {"related": {"lists": 0, "by": {}}}, "overlap": []})
    assert capsys.readouterr().out == ""


def test_no_item_in_more_than_the_hub_share_whatever_the_shards(
    built: Job, recipe: Recipe, tmp_path: Path
) -> None:
    build, _ = make(built)
    viewed = read_lists(built.artifacts, build, "also_viewed")
    shown = first_rows(viewed.sizes, viewed.entries.rows, 12)
    assert np.bincount(shown[shown != NONE], minlength=300).max() == 30
    write_small_shop(tmp_path)
    job = load(tmp_path / "recommender.toml", []).job()
    whole = replace(job, recipe=recipe.only(["also_viewed"]))
    again, _ = make(whole)
    undivided = read_lists(whole.artifacts, again, "also_viewed")
    assert (undivided.entries.rows == viewed.entries.rows).all()
    assert (undivided.entries.evidence == viewed.entries.evidence).all()


def test_hubs_are_bounded_the_same_shard_by_shard(
    built: Job, recipe: Recipe, tmp_path: Path
) -> None:
    """As a fleet does it: each shard is a task of its own."""
    write_small_shop(tmp_path)
    job = load(tmp_path / "recommender.toml", ["limits.shard_items=128"]).job()
    job = pinned(replace(job, recipe=recipe.only(["also_viewed"])))
    while tasks := ready(goal := plan(job).goal):
        for task in reversed(tasks):
            named(goal, task.step).perform([task.shard])
    alone = read_lists(job.artifacts, goal.artifact(), "also_viewed")
    together = read_lists(built.artifacts, make(built)[0], "also_viewed")
    assert (alone.entries.rows == together.entries.rows).all()
    assert (alone.entries.scores == together.entries.scores).all()


def test_equal_fits_are_shared_between_placements(built: Job) -> None:
    stages = [cost.stage for cost in built.stopwatch.costs if not cost.reused]
    assert stages.count("fit co-occurrence-svd") == 1
    assert stages.count("fit co-occurrence-svd to view") == 1
    assert stages.count("fuse concatenation") == 1
    assert stages.count("fuse gated") == 2


def test_kinds_that_nothing_can_have_are_refused(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(("a", "b"), ("b", "c")))
    job = load(tmp_path / "recommender.toml", ["recipe.placements.0.kinds=['view']"]).job()
    with pytest.raises(ConfigError, match="kinds names 'view'; the interactions have weights for"):
        make(job)
