"""Ready-made lists: what another system, or an earlier build, shows for each item."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.ids import ItemIds
from recommender.core.neighbours import Neighbours
from recommender.errors import DataError
from recommender.evaluation.best import best_of_each


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """Entries of lists by item id: `item` (e,) asks, `related` (e,) is shown with `score` (e,).

    Larger scores come first. `newest` is the time of the newest event that they were learned from,
    in epoch seconds, 0 where unknown.

    Raises: DataError where columns differ in length or a score is not above 0.
    """

    name: str
    item: Sequence[str]
    related: Sequence[str]
    score: NDArray[np.float32]
    newest: int = 0

    def __post_init__(self) -> None:
        if not len(self.item) == len(self.related) == len(self.score):
            raise DataError(f"lists {self.name}: columns differ in length")
        if not (np.isfinite(self.score) & (self.score > 0)).all():
            raise DataError(f"lists {self.name}: a score that is not a number above 0")

    def placed(self, ids: ItemIds, depth: int) -> tuple[Neighbours, tuple[str, ...]]:
        """The lists (n, depth) by the rows of `ids`, and what was left out in placing them.

        Left out are entries of unknown items and an item in its own list; of an item that stands
        in a list twice, the better entry counts.
        """
        asking, shown = ids.rows(self.item), ids.rows(self.related)
        known = (asking >= 0) & (shown >= 0)
        own = known & (asking == shown)
        kept = known & ~own
        pairs = asking[kept].astype(np.int64) * len(ids) + shown[kept]
        order = np.lexsort((-self.score[kept], pairs))
        distinct, first = np.unique(pairs[order], return_index=True)
        entries = (self.score[kept][order][first], np.divmod(distinct, max(len(ids), 1)))
        lists = best_of_each(sp.csr_array(entries, shape=(len(ids), len(ids))), depth)
        left_out = {
            "with an unknown item": int((~known).sum()),
            "of an item in its own list": int(own.sum()),
            "twice in a list": int(kept.sum()) - len(distinct),
        }
        said = [f"{count:,} entries {what}" for what, count in left_out.items() if count]
        empty = int((~lists.found[:, 0]).sum())
        if empty:
            said.append(f"{empty:,} of {len(ids):,} items without a list")
        return lists, (f"{self.name}: {'; '.join(said)}",) if said else ()
