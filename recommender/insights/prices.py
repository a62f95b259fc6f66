"""Prices that cannot be right."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import PATH_SEPARATOR, Catalogue
from recommender.insights.finding import Finding

ENOUGH = 10
FAR_Z, FAR_FACTOR, TWIN_FACTOR = 4.5, 5.0, 10.0
NORMAL = 1.4826
LEAST_SPREAD = 0.15


def price_findings(catalogue: Catalogue, twins: Sequence[tuple[int, int]]) -> Iterator[Finding]:
    """Prices of zero or below, far off their category's, or ten times those of a twin.

    Far off is a robust z of the log price above 4.5 (distance from the median, in spreads of
    1.4826 times the median distance) and a factor of five; the category is the deepest part of
    the path that has ten prices, at the top the whole shop. An unknown price is no finding.
    """
    price = np.asarray(catalogue.price, dtype=np.float64)
    for row in np.flatnonzero(price <= 0).tolist():
        yield Finding("price", row, f"the price is {price[row]:,.2f}")
    logs = np.log(np.where(price > 0, price, np.nan))
    told = set()
    for finding in _far_off(catalogue, logs):
        told.add(finding.row)
        yield finding
    for one, other in twins:
        low, high = sorted((one, other), key=lambda row: price[row])
        if not (price[low] > 0 and price[high] / price[low] >= TWIN_FACTOR) or high in told:
            continue
        told.add(high)
        yield Finding("price", high, _beside(price[high], price[low], "its twin costs"), low)


def _far_off(catalogue: Catalogue, logs: NDArray[np.float64]) -> Iterator[Finding]:
    undecided = set(np.flatnonzero(np.isfinite(logs)).tolist())
    paths = [category.split(PATH_SEPARATOR) if category else [] for category in catalogue.category]
    deepest = max((len(path) for path in paths), default=0)
    for depth in range(deepest, -1, -1):
        members: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in np.flatnonzero(np.isfinite(logs)).tolist():
            if len(paths[row]) >= depth:
                members[tuple(paths[row][:depth])].append(row)
        for path, rows in members.items():
            asked = undecided.intersection(rows)
            if len(rows) < ENOUGH or not asked:
                continue
            undecided -= asked
            yield from _outliers(logs, rows, asked, path[-1] if path else "the shop")


def _outliers(
    logs: NDArray[np.float64], rows: list[int], asked: set[int], category: str
) -> Iterator[Finding]:
    centre = float(np.median(logs[rows]))
    spread = max(NORMAL * float(np.median(np.abs(logs[rows] - centre))), LEAST_SPREAD)
    for row in sorted(asked):
        distance = abs(float(logs[row]) - centre)
        if distance > FAR_Z * spread and distance >= np.log(FAR_FACTOR):
            price, median = float(np.exp(logs[row])), float(np.exp(centre))
            yield Finding("price", row, _beside(price, median, f"half of {category} costs up to"))


def _beside(price: float, usual: float, what: str) -> str:
    factor = price / usual
    times = f"{factor:,.0f} times" if factor >= 1 else f"1/{1 / factor:,.0f} of"
    return f"{price:,.2f}, {times} what is usual: {what} {usual:,.2f}"
