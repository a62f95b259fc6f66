"""The synthetic shop of the benchmarks."""

from collections import Counter
from pathlib import Path

from benchmarks.reindex import RECIPE, Measured, exponents
from benchmarks.shop_generator import DAYS, FAMILY, SyntheticShop, renewed
from recommender.settings.loading import load


def test_it_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    shop = SyntheticShop(300, 2000)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shop.write(tmp_path / name, RECIPE)
    for file in ("items.csv", "orders.csv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert len((tmp_path / "one" / "items.csv").read_text().splitlines()) == 301
    assert len((tmp_path / "one" / "orders.csv").read_text().splitlines()) == 2001
    assert load(tmp_path / "one" / "recommender.toml").shop == "synthetic"


def test_few_items_are_bought_often_and_families_together() -> None:
    lines = [line for block in SyntheticShop(2000, 40_000).orders() for line in block]
    baskets: dict[str, list[int]] = {}
    for line in lines:
        basket, item, _ = line.split(",")
        baskets.setdefault(basket, []).append(int(item[1:]))
    counts = Counter(item for items in baskets.values() for item in items)
    top = sum(number for _, number in counts.most_common(200))
    assert top > 0.35 * len(lines)
    together = sum(
        one // FAMILY == items[0] // FAMILY for items in baskets.values() for one in items[1:]
    )
    assert together > 0.2 * (len(lines) - len(baskets))


def test_after_a_night_few_titles_are_new(tmp_path: Path) -> None:
    shop = SyntheticShop(500, 3600)
    shop.write(tmp_path, RECIPE)
    before = (tmp_path / "items.csv").read_text().splitlines()
    renewed(tmp_path, shop, 0.01)
    after = (tmp_path / "items.csv").read_text().splitlines()
    assert sum(one != two for one, two in zip(before, after, strict=True)) == 5
    events = len((tmp_path / "orders.csv").read_text().splitlines()) - 1
    assert events == 3600 + 3600 // DAYS


def test_exponent_of_growth() -> None:
    runs = [Measured(n, 0, "cold", s, 0, []) for n, s in ((10, 1.0), (100, 10.0), (1000, 1000.0))]
    assert [round(one, 3) for one in exponents(runs)] == [1.0, 2.0]
