"""Orders: what was cancelled, refunded or returned after it was bought."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.readers.values import TextCodes


@dataclass(frozen=True, slots=True)
class Returned:
    """Some of an item that a user gave back, of a basket if it names one."""

    item: str
    basket: str
    user: str
    quantity: float
    time: int


@dataclass(slots=True)
class TakenBack:
    """The baskets of one source that were cancelled, and what was returned."""

    baskets: set[str] = field(default_factory=set)
    returns: list[Returned] = field(default_factory=list)

    def cancel(self, baskets: Iterable[str]) -> None:
        """Cancel whole baskets; an unknown one, which is empty, is none."""
        self.baskets.update(filter(None, baskets))

    def give_back(self, returned: Returned) -> None:
        """Note a return."""
        self.returns.append(returned)


def not_cancelled(baskets: NDArray[Any], taken_back: TakenBack, codes: TextCodes) -> NDArray[Any]:
    """Which rows (m,) of a source, by their `baskets` (m,), are of no cancelled basket."""
    cancelled = codes.known(sorted(taken_back.baskets))
    kept: NDArray[Any] = ~np.isin(baskets, cancelled[cancelled >= 0])
    return kept


def not_returned(
    columns: Mapping[str, NDArray[Any]],
    returns: Sequence[tuple[int, int, int, float, int]],
    kind: int,
) -> NDArray[Any]:
    """Which rows (m,) have something left after all returns.

    A return is the codes of its item, basket and user, -1 where unknown, a quantity and a time. It
    is taken from rows of the basket with the item, and then from the user's rows of a `kind` with
    the item that are not later, the newest first.
    """
    left = columns["quantity"].astype(np.float64)
    bought = left > 0
    items = np.isin(columns["item"], [each[0] for each in returns])
    by_basket: dict[tuple[int, int], list[int]] = {}
    by_user: dict[tuple[int, int], list[int]] = {}
    rows = np.flatnonzero(items & bought)
    for row in rows[np.argsort(-columns["time"][rows], kind="stable")].tolist():
        item = int(columns["item"][row])
        by_basket.setdefault((int(columns["basket"][row]), item), []).append(row)
        if columns["kind"][row] == kind:
            by_user.setdefault((int(columns["user"][row]), item), []).append(row)
    for item, basket, user, quantity, time in sorted(returns, key=lambda each: each[4]):
        own = by_basket.get((basket, item), []) if basket >= 0 else []
        earlier = [
            row
            for row in (by_user.get((user, item), []) if user >= 0 else [])
            if columns["time"][row] <= time or not time
        ]
        for row in (*own, *earlier):
            taken = min(quantity, left[row])
            left[row] -= taken
            quantity -= taken
    kept: NDArray[Any] = ~bought | (left > 0)
    return kept
