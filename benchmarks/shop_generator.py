"""A synthetic shop of any size: titles of about twelve tokens, Zipf popularity, planted structure.

Items belong to families (a thing, in variants), families to shelves; every family has one that goes
with it. A basket begins with an item drawn by popularity; most of what follows comes from its own
family, the family that goes with it, or its shelf. Rows are written in blocks, so that memory does
not grow with the shop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import blocks
from recommender.core.interactions import DAY_S

FAMILY, SHELF = 20, 400
BASKET = 4
BLOCK = 1_000_000
NEWEST = 1_767_225_600
DAYS = 180
OWN, ALONG, NEAR = 0.25, 0.35, 0.25
"""Shares of what follows in a basket: own family, the one that goes with it, own shelf."""

_THINGS = (
    "lamp chair mug bowl blanket kettle notebook candle cushion basket rake lantern vase towel "
    "clock mirror bottle tray hammer drill jacket scarf glove boot rug curtain teapot puzzle"
)
_MADE = "oak steel ceramic cotton linen wool glass brass bamboo leather cork slate marble felt"
_LIKE = "red navy ivory charcoal olive amber teal coral plum mint sand rust sky cream"
_FOR = "kitchen garden bath kids office travel winter party hall balcony studio camping"
_MAKERS = "Aldor Benwick Corvia Dunmore Elmwood Fenix Galder Harlow Istra Jorvik Kelby Lumora"

Longs = NDArray[np.int64]

SETTINGS = """
shop = "synthetic"
recipe = "{recipe}"
[catalogue]
path = "items.csv"
[interactions]
path = "orders.csv"
[interactions.columns]
item = "item_id"
basket = "order_id"
time = "time"
"""


@dataclass(frozen=True, slots=True)
class SyntheticShop:
    """`n_items` items and `n_events` events, the same for the same seed."""

    n_items: int
    n_events: int
    seed: int = 0

    def write(self, folder: Path, recipe: Path) -> Path:
        """Write items, orders and a settings file with the recipe; returns the settings file."""
        with (folder / "items.csv").open("w") as file:
            file.write("item_id,title,category\n")
            file.writelines(
                f"i{item},{title},shelf {item // SHELF}\n" for item, title in self.titles()
            )
        with (folder / "orders.csv").open("w") as file:
            file.write("order_id,item_id,time\n")
            for lines in self.orders():
                file.writelines(lines)
        config = folder / "recommender.toml"
        config.write_text(SETTINGS.format(recipe=recipe))
        return config

    def titles(self) -> Iterator[tuple[int, str]]:
        """Number and title of every item; those of a family differ in few words."""
        rng = np.random.default_rng(self.seed)
        things, made, like, use, makers = (
            words.split() for words in (_THINGS, _MADE, _LIKE, _FOR, _MAKERS)
        )
        for first in range(0, self.n_items, FAMILY):
            thing, stuff, where, maker = (
                str(rng.choice(words)) for words in (things, made, use, makers)
            )
            beside = str(rng.choice(things))
            for item in range(first, min(first + FAMILY, self.n_items)):
                colour = like[int(rng.integers(len(like)))]
                yield (
                    item,
                    f"{maker} {colour} {stuff} {thing} with {beside} for {where} no {item}",
                )

    def orders(self) -> Iterator[list[str]]:
        """Lines of the orders, block by block."""
        rng = np.random.default_rng(self.seed + 1)
        families = -(-self.n_items // FAMILY)
        along = rng.permutation(families)
        of_rank = rng.permutation(self.n_items)
        order = 0
        for block in blocks(self.n_events, BLOCK):
            number = block.stop - block.start
            baskets = np.repeat(np.arange(-(-number // BASKET)), BASKET)[:number]
            leading = self._popular(rng, int(baskets[-1]) + 1, of_rank)[baskets]
            items = self._following(rng, leading, along, of_rank)
            ages = rng.integers(0, DAYS * DAY_S, int(baskets[-1]) + 1)[baskets]
            times = np.datetime_as_string(
                (NEWEST - ages).astype("datetime64[s]"), unit="s"
            ).tolist()
            numbers = (order + baskets).tolist()
            yield [
                f"o{basket},i{item},{when}\n"
                for basket, item, when in zip(numbers, items.tolist(), times, strict=True)
            ]
            order += int(baskets[-1]) + 1

    def _popular(self, rng: np.random.Generator, number: int, of_rank: Longs) -> Longs:
        """Items by Zipf's law of exponent one: the logarithm of the rank is uniform."""
        ranks = np.exp(rng.random(number) * np.log(self.n_items)).astype(np.int64)
        drawn: Longs = of_rank[np.minimum(ranks - 1, self.n_items - 1)]
        return drawn

    def _following(
        self, rng: np.random.Generator, leading: Longs, along: Longs, of_rank: Longs
    ) -> Longs:
        """What stands in baskets beside their leading items, which come first."""
        number = len(leading)
        own = leading // FAMILY
        drawn = rng.random(number)
        one_of = rng.integers(0, FAMILY, number)
        items = np.select(
            [drawn < OWN, drawn < OWN + ALONG, drawn < OWN + ALONG + NEAR],
            [
                own * FAMILY + one_of,
                along[own] * FAMILY + one_of,
                leading // SHELF * SHELF + rng.integers(0, SHELF, number),
            ],
            self._popular(rng, number, of_rank),
        )
        items[::BASKET] = leading[::BASKET]
        within: Longs = np.minimum(items, self.n_items - 1)
        return within


def renewed(folder: Path, shop: SyntheticShop, share: float) -> None:
    """Change a share of the titles and add the events of a day, as a night would find them."""
    items = folder / "items.csv"
    lines = items.read_text().splitlines(keepends=True)
    rng = np.random.default_rng(shop.seed + 2)
    for line in rng.choice(np.arange(1, len(lines)), int(shop.n_items * share), replace=False):
        number, title, shelf = lines[line].split(",")
        lines[line] = f"{number},new {title},{shelf}"
    items.write_text("".join(lines))
    day = SyntheticShop(shop.n_items, max(1, shop.n_events // DAYS), shop.seed + 3)
    with (folder / "orders.csv").open("a") as file:
        for block in day.orders():
            file.writelines(f"n{line}" for line in block)
