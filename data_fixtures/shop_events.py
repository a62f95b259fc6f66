"""A year of views and orders in the small shop.

A visit looks at several items of one family and mostly ends in an order for one of them, with items
that complement it; some visits are not recorded and leave an order alone. Each planted event may
bring a random item with it, by popularity, so that about 30 % of all events are noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from data_fixtures.shop_items import Item, Theme, shuffled
from data_fixtures.shop_truth import Truth

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
YEAR_S = 366 * 24 * 3600
N_USERS = 480
N_VISITS = 2_350
N_COLD = 8
NOISE_PER_EVENT = 3 / 7
POPULARITY_OFFSET, POPULARITY_EXPONENT = 6.0, 0.8
N_FAVOURITE_THEMES, FAVOURITE_FACTOR = 2, 5.0
FEWEST_SEEN, MOST_SEEN = 3, 4
RECORDED_CHANCE = 0.6
BUY_CHANCE = 0.85
COMPLEMENT_CHANCE = 0.75
COMPLEMENT_VIEW_CHANCE = 0.25
SECOND_SUBSTITUTE_CHANCE = 0.02

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Event:
    """One view or one order line; sessions and orders are numbered by the visit they belong to."""

    visit: int
    user: int
    row: int
    time: datetime
    noise: bool


@dataclass(frozen=True, slots=True)
class Events:
    """All that happened, in order of time, and the rows to which nothing happened."""

    views: tuple[Event, ...]
    orders: tuple[Event, ...]
    cold: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Demand:
    """What customers want; u users, f families, n items.

    `families` (u, f) and `popularity` (n,) are weights, `family_rows` the rows of each family, and
    `complements` for each row the rows that go with it, by family.
    """

    families: Weights
    popularity: Weights
    family_rows: tuple[tuple[int, ...], ...]
    complements: tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """The planted rows of one visit: those that are looked at and those that are bought."""

    seen: tuple[int, ...]
    bought: tuple[int, ...]


def year_of_events(
    items: tuple[Item, ...], themes: tuple[Theme, ...], truth: Truth, rng: np.random.Generator
) -> Events:
    """All visits of a year with their noise."""
    cold = _cold_rows(items, rng)
    demand = _demand(items, themes, truth, cold, rng)
    starts = np.sort(rng.integers(0, YEAR_S, N_VISITS)).tolist()
    views: list[Event] = []
    orders: list[Event] = []
    for number, start in enumerate(starts, start=1):
        user = int(rng.integers(N_USERS))
        visit = _visit(user, demand, rng)
        time = FIRST_DAY + timedelta(seconds=start)
        for row, noise in _with_noise(visit.seen, demand, rng):
            views.append(Event(number, user, row, time, noise))
            time += timedelta(seconds=int(rng.integers(15, 180)))
        time += timedelta(seconds=int(rng.integers(120, 1800)))
        basket: dict[int, bool] = {}
        for row, noise in _with_noise(visit.bought, demand, rng):
            basket.setdefault(row, noise)
        orders.extend(Event(number, user, row, time, noise) for row, noise in basket.items())
    return Events(_by_time(views), _by_time(orders), cold)


def _visit(user: int, demand: Demand, rng: np.random.Generator) -> Visit:
    """One visit of the user to one family."""
    family = _draw(demand.families[user], 1, rng)[0]
    rows = np.array(demand.family_rows[family])
    n_seen = int(rng.integers(FEWEST_SEEN, MOST_SEEN + 1))
    seen = rows[_draw(demand.popularity[rows], n_seen, rng)].tolist()
    recorded = rng.random() < RECORDED_CHANCE
    if recorded and rng.random() >= BUY_CHANCE:
        return Visit(tuple(seen), ())
    n_chosen = 2 if rng.random() < SECOND_SUBSTITUTE_CHANCE else 1
    extras = _complements(seen[0], demand, rng)
    looked_up = [row for row in extras if rng.random() < COMPLEMENT_VIEW_CHANCE]
    return Visit(tuple(seen + looked_up) if recorded else (), (*seen[:n_chosen], *extras))


def _complements(row: int, demand: Demand, rng: np.random.Generator) -> list[int]:
    """At most one item of each family that goes with the row."""
    chosen = []
    for choices in demand.complements[row]:
        rows = np.array(choices)
        if rng.random() < COMPLEMENT_CHANCE:
            chosen.extend(rows[_draw(demand.popularity[rows], 1, rng)].tolist())
    return chosen


def _with_noise(
    rows: Sequence[int], demand: Demand, rng: np.random.Generator
) -> list[tuple[int, bool]]:
    """The rows and whether each is noise: a random row follows some of the planted ones."""
    events = []
    for row in rows:
        events.append((row, False))
        if rng.random() < NOISE_PER_EVENT:
            events.append((_draw(demand.popularity, 1, rng)[0], True))
    return events


def _demand(
    items: tuple[Item, ...],
    themes: tuple[Theme, ...],
    truth: Truth,
    cold: Sequence[int],
    rng: np.random.Generator,
) -> Demand:
    """Zipf popularity over items (none for cold ones); users lean towards a few themes."""
    families = [family for theme in themes for family in theme.families]
    ranks = np.array(shuffled(len(items), rng))
    popularity = (ranks + POPULARITY_OFFSET) ** -POPULARITY_EXPONENT
    popularity[list(cold)] = 0.0
    wanted = np.tile([family.share for family in families], (N_USERS, 1))
    for user in range(N_USERS):
        favourites = {themes[k].name for k in shuffled(len(themes), rng)[:N_FAVOURITE_THEMES]}
        wanted[user, [family.theme in favourites for family in families]] *= FAVOURITE_FACTOR
    return Demand(
        families=wanted,
        popularity=popularity,
        family_rows=tuple(
            tuple(row for row, item in enumerate(items) if item.family == family.name)
            for family in families
        ),
        complements=tuple(_by_family(rows, items) for rows in truth.complements),
    )


def _by_family(rows: Sequence[int], items: tuple[Item, ...]) -> tuple[tuple[int, ...], ...]:
    """The rows, one group for each of their families."""
    names = dict.fromkeys(items[row].family for row in rows)
    return tuple(tuple(row for row in rows if items[row].family == name) for name in names)


def _cold_rows(items: tuple[Item, ...], rng: np.random.Generator) -> tuple[int, ...]:
    """New items without any event: in stock, one product without variants per family."""
    of_family = {
        items[row].family: row
        for row in shuffled(len(items), rng)
        if items[row].in_stock and not items[row].group
    }
    return tuple(sorted(list(of_family.values())[:N_COLD]))


def _draw(weights: Weights, n: int, rng: np.random.Generator) -> list[int]:
    """At most n different positions of positive weight, likelier where the weight is larger."""
    open_positions = np.flatnonzero(weights)
    waits = -np.log1p(-rng.random(len(open_positions))) / weights[open_positions]
    drawn: list[int] = open_positions[np.argsort(waits, kind="stable")[:n]].tolist()
    return drawn


def _by_time(events: Sequence[Event]) -> tuple[Event, ...]:
    """Events in order of time; those of one moment stay as they were."""
    return tuple(sorted(events, key=lambda event: event.time))
