"""The small generated shop: a catalogue, a year of events, and the answers that lie in them.

Substitutes are viewed together and hardly ever bought together; complements are bought together and
share words, so neither counting orders nor text alone tells the two apart.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_fixtures.shop_events import Event, Events, year_of_events
from data_fixtures.shop_items import Item, build_items, load_themes
from data_fixtures.shop_truth import Truth, known_answers
from data_fixtures.whole_files import csv_bytes, write_whole

CATALOGUE_COLUMNS = (
    "item_id",
    "title",
    "description",
    "brand",
    "category",
    "price",
    "group",
    "in_stock",
)
ORDER_COLUMNS = ("order_id", "user_id", "item_id", "quantity", "price", "time")
VIEW_COLUMNS = ("session_id", "user_id", "item_id", "time")
MOST_PIECES, SEVERAL_PIECES_BELOW_MINOR = 3, 3_000


@dataclass(frozen=True, slots=True)
class SmallShop:
    """One generated shop; rows of truth and events are positions in items."""

    seed: int
    items: tuple[Item, ...]
    truth: Truth
    events: Events
    quantities: tuple[int, ...]


def generate(seed: int = 0) -> SmallShop:
    """The shop of a seed: equal seeds give equal shops."""
    rng = np.random.default_rng(seed)
    themes = load_themes()
    items = build_items(themes, rng)
    truth = known_answers(items, themes)
    events = year_of_events(items, themes, truth, rng)
    pieces = rng.integers(1, MOST_PIECES + 1, len(events.orders)).tolist()
    quantities = tuple(
        count if items[line.row].price_minor < SEVERAL_PIECES_BELOW_MINOR else 1
        for line, count in zip(events.orders, pieces, strict=True)
    )
    return SmallShop(seed, items, truth, events, quantities)


def write(shop: SmallShop, folder: Path) -> None:
    """Write catalogue.csv, orders.csv, views.csv and truth.json."""
    write_whole(folder / "catalogue.csv", csv_bytes(CATALOGUE_COLUMNS, _catalogue_rows(shop)))
    write_whole(folder / "orders.csv", csv_bytes(ORDER_COLUMNS, _order_rows(shop)))
    write_whole(folder / "views.csv", csv_bytes(VIEW_COLUMNS, _view_rows(shop)))
    write_whole(folder / "truth.json", _truth_bytes(shop))


def _catalogue_rows(shop: SmallShop) -> Iterator[Sequence[str]]:
    """Lines of the catalogue."""
    for item in shop.items:
        yield (
            item.item_id,
            item.title,
            item.description,
            item.brand,
            item.category,
            _pounds(item.price_minor),
            item.group,
            "true" if item.in_stock else "false",
        )


def _order_rows(shop: SmallShop) -> Iterator[Sequence[object]]:
    """Lines of the orders; price is that of one piece."""
    for line, quantity in zip(shop.events.orders, shop.quantities, strict=True):
        item = shop.items[line.row]
        order = f"o{line.visit:05}"
        yield order, _user(line), item.item_id, quantity, _pounds(item.price_minor), _time(line)


def _view_rows(shop: SmallShop) -> Iterator[Sequence[str]]:
    """Lines of the views."""
    for view in shop.events.views:
        item_id = shop.items[view.row].item_id
        yield f"s{view.visit:05}", _user(view), item_id, _time(view)


def _truth_bytes(shop: SmallShop) -> bytes:
    """The known answers with item ids for rows, one item a line."""
    groups: dict[str, list[str]] = {}
    for item in shop.items:
        if item.group:
            groups.setdefault(item.group, []).append(item.item_id)
    truth = {
        "seed": shop.seed,
        "noise": {
            "orders": _noise_share(shop.events.orders),
            "views": _noise_share(shop.events.views),
        },
        "cold": [shop.items[row].item_id for row in shop.events.cold],
        "out_of_stock": [item.item_id for item in shop.items if not item.in_stock],
        "groups": groups,
        "substitutes": _by_item(shop, shop.truth.substitutes),
        "complements": _by_item(shop, shop.truth.complements),
    }
    return (json.dumps(truth, ensure_ascii=False, indent=1) + "\n").encode()


def _by_item(shop: SmallShop, related: Sequence[Sequence[int]]) -> dict[str, list[str]]:
    """Related item ids of every item that has some."""
    return {
        item.item_id: [shop.items[row].item_id for row in rows]
        for item, rows in zip(shop.items, related, strict=True)
        if rows
    }


def _noise_share(events: Sequence[Event]) -> float:
    """Share of the events that are noise, to four places."""
    return round(sum(event.noise for event in events) / len(events), 4)


def _user(event: Event) -> str:
    return f"u{event.user:04}"


def _time(event: Event) -> str:
    return event.time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _pounds(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"
