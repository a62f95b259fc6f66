"""The committed shop is what the generator writes, and its answers lie in its events."""

import csv
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import data_fixtures
from data_fixtures.small_shop import generate, write

FOLDER = Path(data_fixtures.__file__).parent / "small_shop"
FILES = ("catalogue.csv", "orders.csv", "views.csv", "truth.json")
UTC_TIME = re.compile(r"2024-\d\d-\d\dT\d\d:\d\d:\d\dZ|2025-01-01T0\d:\d\d:\d\dZ")

Counts = NDArray[np.float64]
Pairs = NDArray[np.bool_]


@dataclass(frozen=True)
class CommittedShop:
    catalogue: list[dict[str, str]]
    orders: list[dict[str, str]]
    views: list[dict[str, str]]
    truth: dict[str, Any]

    @property
    def rows(self) -> dict[str, int]:
        return {item["item_id"]: row for row, item in enumerate(self.catalogue)}

    def pairs(self, relation: str) -> Pairs:
        rows = self.rows
        pairs = np.zeros((len(rows), len(rows)), dtype=np.bool_)
        for item, related in self.truth[relation].items():
            pairs[rows[item], [rows[other] for other in related]] = True
        return pairs

    def counted_together(self, kind: str) -> Counts:
        lines, key = (self.orders, "order_id") if kind == "orders" else (self.views, "session_id")
        rows = self.rows
        baskets: dict[str, set[int]] = defaultdict(set)
        for line in lines:
            baskets[line[key]].add(rows[line["item_id"]])
        together = np.zeros((len(rows), len(rows)))
        for basket in baskets.values():
            chosen = sorted(basket)
            together[np.ix_(chosen, chosen)] += 1
        np.fill_diagonal(together, 0)
        return together


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shop() -> CommittedShop:
    catalogue, orders, views = (read_rows(FOLDER / name) for name in FILES[:3])
    truth = json.loads((FOLDER / "truth.json").read_text(encoding="utf-8"))
    return CommittedShop(catalogue, orders, views, truth)


def share_true(scores: Counts, pairs: Pairs, k: int = 5) -> float:
    """Share of the pairs among the k best entries of the rows that have pairs and any score."""
    asked = pairs.any(axis=1) & (scores > 0).any(axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(pairs, best, axis=1) & (np.take_along_axis(scores, best, axis=1) > 0)
    return float(hits[asked].mean())


def word_similarity(shop: CommittedShop) -> Counts:
    """Cosine of TF-IDF vectors of title and description."""
    texts = [f"{item['title']} {item['description']}".lower() for item in shop.catalogue]
    words = [re.findall(r"[a-z0-9]+", text) for text in texts]
    column = {word: k for k, word in enumerate(sorted({w for text in words for w in text}))}
    counts = np.zeros((len(texts), len(column)))
    for row, text in enumerate(words):
        np.add.at(counts[row], [column[word] for word in text], 1)
    weighted = np.log1p(counts) * np.log(len(texts) / (counts > 0).sum(axis=0))
    unit = weighted / np.linalg.norm(weighted, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)


def chance_first_above_second(scores: Counts, first: Pairs, second: Pairs) -> float:
    """How often a pair of the first relation scores above one of the second; mean over rows."""
    chances = [
        (row[a][:, None] > row[b]).mean() + (row[a][:, None] == row[b]).mean() / 2
        for row, a, b in zip(scores, first, second, strict=True)
        if a.any() and b.any()
    ]
    return float(np.mean(chances))


def test_committed_files_are_what_the_seed_gives(tmp_path: Path) -> None:
    write(generate(seed=0), tmp_path)
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), name


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    write(generate(seed=1), tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() != (FOLDER / name).read_bytes(), name


def test_sizes(shop: CommittedShop) -> None:
    assert sum((FOLDER / name).stat().st_size for name in FILES) < 1_000_000
    assert len(shop.catalogue) == 300
    assert len({item["category"] for item in shop.catalogue}) == 30
    assert 4_000 <= len(shop.orders) <= 6_000
    assert 6_000 <= len(shop.views) <= 8_000


def test_item_ids_that_numbers_would_destroy(shop: CommittedShop) -> None:
    ids = {item["item_id"] for item in shop.catalogue}
    assert len(ids) == len(shop.catalogue)
    assert {"00123", "123", "1e5", "100000", "NA", "A-17"} <= ids
    long_ids = sorted(item for item in ids if len(item) == 18)
    assert len(long_ids) == 2
    assert float(long_ids[0]) == float(long_ids[1])
    sold = {line["item_id"] for line in shop.orders}
    assert {"00123", "123", "1e5", "100000", "NA", "A-17", *long_ids} <= sold


def test_catalogue_columns_are_filled(shop: CommittedShop) -> None:
    titles = [item["title"] for item in shop.catalogue]
    assert len(set(titles)) == len(titles)
    for item in shop.catalogue:
        assert item["title"].startswith(item["brand"])
        assert len(item["description"]) > 40
        assert " > " in item["category"]
        assert re.fullmatch(r"\d+\.99", item["price"])


def test_events_name_known_items_in_order_of_time(shop: CommittedShop) -> None:
    for events in (shop.orders, shop.views):
        assert {event["item_id"] for event in events} <= shop.rows.keys()
        times = [event["time"] for event in events]
        assert times == sorted(times)
        assert all(UTC_TIME.fullmatch(time) for time in times)


def test_an_order_is_one_user_at_one_time_with_different_items(shop: CommittedShop) -> None:
    orders = defaultdict(list)
    for line in shop.orders:
        orders[line["order_id"]].append(line)
    for lines in orders.values():
        assert len({(line["user_id"], line["time"]) for line in lines}) == 1
        assert len({line["item_id"] for line in lines}) == len(lines)


def test_cold_and_out_of_stock(shop: CommittedShop) -> None:
    seen = {event["item_id"] for event in [*shop.orders, *shop.views]}
    assert sorted(shop.rows.keys() - seen) == sorted(shop.truth["cold"])
    assert len(shop.truth["cold"]) == 8
    out = [item["item_id"] for item in shop.catalogue if item["in_stock"] == "false"]
    assert out == shop.truth["out_of_stock"]
    assert len(out) == 6
    assert set(out) <= seen


def test_groups_hold_the_variants_of_one_product(shop: CommittedShop) -> None:
    groups = defaultdict(list)
    for item in shop.catalogue:
        if item["group"]:
            groups[item["group"]].append(item["item_id"])
    assert groups == shop.truth["groups"]
    assert len(groups) == 60
    for members in groups.values():
        assert len(members) == 2
        for member in members:
            assert not set(members) & set(shop.truth["substitutes"][member])


def test_noise_is_about_three_tenths(shop: CommittedShop) -> None:
    assert shop.truth["noise"]["orders"] == pytest.approx(0.3, abs=0.02)
    assert shop.truth["noise"]["views"] == pytest.approx(0.3, abs=0.02)


def test_substitutes_are_one_category_and_complements_another(shop: CommittedShop) -> None:
    category = {item["item_id"]: item["category"] for item in shop.catalogue}
    for item, others in shop.truth["substitutes"].items():
        assert {category[other] for other in others} == {category[item]}
    for item, others in shop.truth["complements"].items():
        assert category[item] not in {category[other] for other in others}


def test_counting_views_gives_substitutes(shop: CommittedShop) -> None:
    views = shop.counted_together("views")
    assert share_true(views, shop.pairs("substitutes")) > 0.75
    assert share_true(views, shop.pairs("complements")) < 0.1


def test_counting_orders_gives_complements_and_no_substitutes(shop: CommittedShop) -> None:
    orders = shop.counted_together("orders")
    substitutes, complements = shop.pairs("substitutes"), shop.pairs("complements")
    assert share_true(orders, complements) > 0.35
    assert share_true(orders, substitutes) < 0.05
    assert orders[substitutes].sum() < 0.05 * orders.sum()
    assert orders[complements | complements.T].sum() > 0.2 * orders.sum()


def test_words_alone_do_not_tell_substitutes_from_complements(shop: CommittedShop) -> None:
    complements = shop.pairs("complements")
    either_way = complements | complements.T
    text = word_similarity(shop)
    chance = chance_first_above_second(text, shop.pairs("substitutes"), either_way)
    assert 0.35 < chance < 0.65
    related = shop.pairs("substitutes") | either_way
    assert chance_first_above_second(text, related, ~related) > 0.9


def test_a_phone_asks_for_a_case_and_not_the_reverse(shop: CommittedShop) -> None:
    leaf = {
        item["item_id"]: item["category"].rsplit(" > ", maxsplit=1)[-1] for item in shop.catalogue
    }
    orders: dict[str, set[str]] = defaultdict(set)
    for line in shop.orders:
        orders[line["order_id"]].add(leaf[line["item_id"]])
    with_phone = [order for order in orders.values() if "Phones" in order]
    with_case = [order for order in orders.values() if "Cases" in order]
    case_for_phone = np.mean(["Cases" in order for order in with_phone])
    phone_for_case = np.mean(["Phones" in order for order in with_case])
    assert case_for_phone > 1.5 * phone_for_case
    for item, others in shop.truth["complements"].items():
        assert leaf[item] != "Cases"
        if leaf[item] == "Phones":
            assert {leaf[other] for other in others} == {"Cases", "Screen Protectors"}
