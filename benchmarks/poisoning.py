"""Poisoning: how many fake customers, or fake baskets of one, buy an item a place in a top ten.

    python -m benchmarks.poisoning [--config FILE] [--quick] [--json]
                                   [--user-baskets N] [--users-min N]

Twenty items that hardly sell are pushed into the lists of twenty that sell well and have nothing to
do with them: in fake baskets that hold just the two, at the newest time, for all twenty pairs at
once. Printed is the share of them that then stands in the first ten under `[recipe.trust]`, beside
the same share where everyone is trusted. Without `--config` the generated shop is attacked, under
the default recipe with hashed texts; `--quick` tries fewer attacks. Every attack fits the recipe
twice.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Row, report
from recommender.build.job import pinned
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, support
from recommender.core.recipe import Recipe, Trust
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings, joined_content
from recommender.evaluation.systems import related_lists
from recommender.pipeline import content_embeddings, read_shop_columns
from recommender.ranking.training_set import near_by_content
from recommender.settings.loading import load

REPOSITORY = Path(__file__).parents[1]
PAIRS, TOP, SEED = 20, 10, 0
TAIL, HEAD = 5, 0.9
USERS, BASKETS = (1, 2, 3, 5, 10, 30, 100), (3, 10, 100, 1_000)
USERS_OF_QUICK, BASKETS_OF_QUICK = (3, 10), (100,)


@dataclass(frozen=True, slots=True)
class Shop:
    """What is attacked: everything that lists are made from."""

    recipe: Recipe
    catalogue: Catalogue
    events: Interactions
    content: Mapping[str, Embeddings]


@dataclass(frozen=True, slots=True)
class Attack:
    """So many fake users, each with so many baskets, for every pair."""

    users: int
    baskets: int

    def on(self, events: Interactions, pairs: np.ndarray) -> Interactions:
        """The events with the fake ones behind them; `pairs` (p, 2) share a basket each."""
        n_baskets = self.users * self.baskets * len(pairs)
        users = np.repeat(np.arange(self.users * len(pairs)), 2 * self.baskets)
        columns = {
            "item": np.repeat(pairs, self.users * self.baskets, axis=0).ravel(),
            "basket": np.repeat(np.arange(n_baskets), 2) + events.basket.max() + 1,
            "session": np.full(2 * n_baskets, -1),
            "user": users + events.user.max() + 1,
            "kind": np.zeros(2 * n_baskets),
            "time": np.full(2 * n_baskets, events.newest),
        }
        joined: dict[str, Any] = {
            name: np.concatenate([getattr(events, name), column]).astype(
                getattr(events, name).dtype
            )
            for name, column in columns.items()
        }
        return replace(events, **joined)


def main() -> None:
    """Attack and print."""
    parser = argparse.ArgumentParser(description="How many fakes move an item into a top ten.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="default: the generated shop")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--quick", action="store_true", help="fewer attacks")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--user-baskets", type=int, default=3, metavar="N")
    parser.add_argument("--users-min", type=int, default=1, metavar="N")
    options = parser.parse_args()
    users, baskets = (USERS_OF_QUICK, BASKETS_OF_QUICK) if options.quick else (USERS, BASKETS)
    with tempfile.TemporaryDirectory() as folder:
        given = options.config
        shop = loaded(given, options.assignments) if given else generated(Path(folder))
    attacks = [Attack(count, 1) for count in users] + [Attack(1, count) for count in baskets]
    trust = Trust(options.user_baskets, options.users_min)
    report(measured(shop, attacks, trust), as_json=options.json)


def measured(shop: Shop, attacks: Sequence[Attack], trust: Trust) -> list[Row]:
    """The share of the pairs that is in the top ten, trusting so and trusting everyone."""
    pairs = drawn(shop)
    rows = []
    for attack in [Attack(0, 0), *attacks]:
        told = f"{attack.users} fake users of {attack.baskets} basket(s): in the top ten"
        sys.stderr.write(f"{told}\n")
        events = attack.on(shop.events, pairs) if attack.users else shop.events
        guarded, trusting = (
            share_in_top(replace(shop, events=events), pairs, each) for each in (trust, Trust())
        )
        rows.append(Row(told, 100 * guarded, "%", 100 * trusting))
    return rows


def drawn(shop: Shop) -> np.ndarray:
    """Pairs (p, 2) of a row that sells well and one that hardly does, unlike by text."""
    sold = support(shop.events.matrix())
    rng = np.random.default_rng(SEED)
    head = rng.permutation(np.flatnonzero(sold >= np.quantile(sold, HEAD)))
    tail = rng.permutation(
        np.flatnonzero((sold >= 1) & (sold <= max(TAIL, float(np.quantile(sold, 0.1)))))
    )
    matrix = joined_content(shop.content).matrix
    unlike = np.median(matrix[head] @ matrix[tail].T)
    found: list[tuple[int, int]] = []
    for row in head.tolist():
        taken = {item for _, item in found}
        free = [item for item in tail.tolist() if item not in taken]
        near = matrix[free] @ matrix[row]
        if len(found) < PAIRS and (near < unlike).any():
            found.append((row, free[int(np.argmax(near < unlike))]))
    return np.array(found)


def share_in_top(shop: Shop, pairs: np.ndarray, trust: Trust) -> float:
    """The share of the pairs whose second stands in the first ten of its first."""
    near = cache(lambda: near_by_content(shop.recipe.index, joined_content(shop.content)))
    recipe = replace(shop.recipe, trust=trust)
    known = shop.catalogue, shop.content, near
    (lists,) = related_lists(recipe, known, shop.events, silent).values()
    standing = lists.rows[pairs[:, 0], :TOP] == pairs[:, 1, None]
    return float(standing.any(axis=1).mean())


def generated(folder: Path) -> Shop:
    """The orders of the generated shop under the default recipe, texts hashed."""
    source = REPOSITORY / "data_fixtures" / "small_shop"
    settings = folder / "recommender.toml"
    settings.write_text(
        f'shop = "small"\n[catalogue]\npath = "{source / "catalogue.csv"}"\n'
        f'[[interactions]]\npath = "{source / "orders.csv"}"\n'
    )
    return loaded(settings, ['recipe.content.text={ use = "hashing" }'])


def loaded(settings: Path, assignments: Sequence[str] = ()) -> Shop:
    """Read a shop and encode its texts."""
    job = pinned(load(settings, assignments).job())
    read, catalogue, events = read_shop_columns(job)
    return Shop(job.recipe, catalogue, events, content_embeddings(job, read))


if __name__ == "__main__":
    main()
