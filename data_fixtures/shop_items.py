"""The items of the small shop, built from its themes."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

THEMES_FILE = Path(__file__).with_name("small_shop_themes.toml")
FIRST_ID, ID_STEP = 20_000, 37
TRAP_IDS = (
    "00123",
    "123",
    "1e5",
    "100000",
    "NA",
    "A-17",
    "900719925474099267",
    "900719925474099268",
)
N_OUT_OF_STOCK = 6
N_VARIED = 2


@dataclass(frozen=True, slots=True)
class Family:
    """Items that replace each other, and the families that are bought with them."""

    name: str
    theme: str
    category: str
    price: tuple[int, int]
    share: float
    models: tuple[str, ...]
    variants: tuple[tuple[str, float], ...]
    about: str
    complements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """A brand's line that is sold in every family of its theme."""

    brand: str
    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Theme:
    """Families that share their series."""

    name: str
    about: str
    series: tuple[Series, ...]
    families: tuple[Family, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One catalogue line, with the family and the series that it was made from."""

    item_id: str
    title: str
    description: str
    brand: str
    category: str
    price_minor: int
    group: str
    in_stock: bool
    family: str
    series: str


def load_themes(path: Path = THEMES_FILE) -> tuple[Theme, ...]:
    """The themes in the order of their file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["theme"]
    return tuple(
        Theme(
            name=table["name"],
            about=table["about"],
            series=tuple(Series(*texts) for texts in table["series"]),
            families=tuple(_family(table["name"], family) for family in table["family"]),
        )
        for table in tables
    )


def build_items(themes: tuple[Theme, ...], rng: np.random.Generator) -> tuple[Item, ...]:
    """All items: every family in every series, two products of a family in two variants."""
    plain = [
        item for theme in themes for family in theme.families for item in _range(theme, family, rng)
    ]
    order = shuffled(len(plain), rng)
    trapped = dict(zip(order, TRAP_IDS, strict=False))
    out_of_stock = set(order[len(TRAP_IDS) : len(TRAP_IDS) + N_OUT_OF_STOCK])
    return tuple(
        replace(
            item,
            item_id=trapped.get(row, str(FIRST_ID + ID_STEP * row)),
            in_stock=row not in out_of_stock,
        )
        for row, item in enumerate(plain)
    )


def _family(theme: str, table: dict[str, Any]) -> Family:
    """A family from its table of the themes file."""
    low, high = table["price"]
    return Family(
        name=table["name"],
        theme=theme,
        category=table["category"],
        price=(low, high),
        share=table["share"],
        models=tuple(table["models"]),
        variants=tuple((name, factor) for name, factor in table["variants"]),
        about=table["about"],
        complements=tuple(table["complements"]),
    )


def _range(theme: Theme, family: Family, rng: np.random.Generator) -> Iterator[Item]:
    """The family's items: two models of each series, some of them in two variants."""
    products = list(_products(theme, family, rng))
    varied = set(shuffled(len(products), rng)[:N_VARIED])
    for number, product in enumerate(products):
        if number not in varied:
            yield product
            continue
        group = product.title.lower().replace(" & ", " ").replace(" ", "-")
        for variant, factor in family.variants:
            yield replace(
                product,
                title=f"{product.title}, {variant}",
                group=group,
                price_minor=_minor(product.price_minor * factor / 100),
            )


def _products(theme: Theme, family: Family, rng: np.random.Generator) -> Iterator[Item]:
    """Two models of each series, without ids; neighbouring series share one model.

    A series' first model speaks of the theme, its second of the series.
    """
    for position, series in enumerate(theme.series):
        for step, about in enumerate((theme.about, series.about)):
            model = family.models[(position + step) % len(family.models)]
            yield Item(
                item_id="",
                title=f"{series.brand} {series.name} {model}",
                description=f"{family.about} {about}",
                brand=series.brand,
                category=family.category,
                price_minor=_minor(int(rng.integers(*family.price))),
                group="",
                in_stock=True,
                family=family.name,
                series=series.name,
            )


def _minor(pounds: float) -> int:
    """A shop's price in pence: whole pounds and 99."""
    return int(pounds) * 100 + 99


def shuffled(n: int, rng: np.random.Generator) -> list[int]:
    """The numbers below n in random order."""
    order: list[int] = np.argsort(rng.random(n), kind="stable").tolist()
    return order
