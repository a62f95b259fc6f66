"""Rule sets over a small catalogue, whose lists are known."""

from dataclasses import replace

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.lists import Entries
from recommender.core.recipe import Choice, Placement
from recommender.merchandising.application import RuleApplication
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


def application(text: str, items: Catalogue, sold: np.ndarray | None = None) -> RuleApplication:
    """The rules of a text over a catalogue; the first items sold best, if not given."""
    rules, faults = parsed(f"rules:\n{text}")
    assert not faults, faults
    falling = np.arange(len(items), 0, -1, dtype=np.float32)
    nothing = interactions([], len(items))
    return RuleApplication(rules, items, nothing, falling if sold is None else sold)


def placement(depth: int, *rules: str, shown: int = 1) -> Placement:
    """A placement called related."""
    choices = tuple(map(Choice, rules))
    return Placement("related", Choice("gated"), filters=choices, shown=shown, depth=depth)


def listed(rows: list[list[int]], width: int) -> Entries:
    """Lists whose scores fall from 0.9 by tenths."""
    made = Entries.padded((len(rows), width))
    for place, entries in enumerate(rows):
        made.rows[place, : len(entries)] = entries
        made.scores[place, : len(entries)] = 0.9 - 0.8 * np.arange(len(entries)) / max(1, width)
    return made
