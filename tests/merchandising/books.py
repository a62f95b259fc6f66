"""Books over a small catalogue, whose lists are known."""

from dataclasses import replace

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import NONE, Neighbours
from recommender.core.recipe import Choice, Placement
from recommender.merchandising.application import Rewriting
from recommender.merchandising.rule_file import parsed
from tests.support.shops import catalogue, interactions

BRANDS = ("Acme", "Bolt", "Core")
CATEGORIES = ("Home > Lamps", "Home > Rakes", "Toys", "")


def goods(n_items: int, out_of_stock: tuple[int, ...] = ()) -> Catalogue:
    """Items `i000`, ... whose brands and categories take turns."""
    made = catalogue(n_items)
    in_stock = np.ones(n_items, dtype=bool)
    in_stock[list(out_of_stock)] = False
    return replace(
        made,
        brand=tuple(BRANDS[row % len(BRANDS)] for row in range(n_items)),
        category=tuple(CATEGORIES[row % len(CATEGORIES)] for row in range(n_items)),
        in_stock=in_stock,
    )


def rewriting(text: str, items: Catalogue, sold: np.ndarray | None = None) -> Rewriting:
    """The rules of a text over a catalogue; the first items sold best, if not given."""
    book, faults = parsed(f"rules:\n{text}")
    assert not faults, faults
    falling = np.arange(len(items), 0, -1, dtype=np.float32)
    nothing = interactions([], len(items))
    return Rewriting(book, items, nothing, falling if sold is None else sold)


def placement(depth: int, *rules: str, shown: int = 1) -> Placement:
    """A placement called related."""
    choices = tuple(map(Choice, rules))
    return Placement("related", Choice("gated"), filters=choices, shown=shown, depth=depth)


def listed(rows: list[list[int]], width: int) -> Neighbours:
    """Lists whose scores fall from 0.9 by tenths."""
    made = np.full((len(rows), width), NONE, dtype=np.int32)
    scores = np.full(made.shape, -np.inf, dtype=np.float32)
    for place, entries in enumerate(rows):
        made[place, : len(entries)] = entries
        scores[place, : len(entries)] = 0.9 - 0.8 * np.arange(len(entries)) / max(1, width)
    return Neighbours(made, scores)
