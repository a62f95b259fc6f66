"""The related lists that a lookup keeps in its own memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from recommender.serving.codec import StoredList


class Found(NamedTuple):
    """What the layers of a pointer hold for an item, `stored` None where they hold nothing.

    `fence` is the pointer's; `generation` the layer that answered, else the full one.
    """

    fence: int
    generation: int
    stored: StoredList | None


Place = tuple[str, str, bool]
"""What a cached list is found by: a placement, an item, and whether the canary was read."""


class ListCache:
    """At most `bound` answers, of which the longest unused goes first. Thread-safe."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = threading.Lock()
        self._kept: OrderedDict[Place, Found] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, place: Place) -> Found | None:
        """What is kept of `place`, of whichever fence."""
        with self._lock:
            found = self._kept.get(place)
            if found is not None:
                self._kept.move_to_end(place)
            return found

    def put_all(self, found: Iterable[tuple[Place, Found]]) -> None:
        """Keep what was found, but where something of a later fence is kept already."""
        kept = self._kept
        with self._lock:
            for place, newer in found:
                known = kept.get(place)
                if known is None:
                    kept[place] = newer
                elif known.fence <= newer.fence:
                    kept[place] = newer
                    kept.move_to_end(place)
            while len(kept) > self._bound:
                kept.popitem(last=False)
