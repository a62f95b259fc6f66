"""Items that must not be shown now: readers notice a change within about a second.

Merchandisers hide items; items without stock, deleted ones and the like are unavailable. Each kind
has its own signs, so that an item that is available again stays hidden where somebody hid it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from recommender.core import item_id
from recommender.errors import DataError
from recommender.publishing.control_keys import junk_named
from recommender.publishing.scripts import CHANGE_HIDDEN, TRIM_HIDDEN, Scripts
from recommender.publishing.servers import server_of
from recommender.serving.connection import Store, store_errors
from recommender.serving.keys import Keys
from recommender.serving.state import HIDDEN, UNAVAILABLE, Signs

BATCH = 250
"""How many ids one change has at most, so that readers do not wait for it."""
TRACES = "[-=]*"
TRACE_MS = 24 * 60 * 60 * 1000
"""How long a change back stays to be read. Who looked away for longer reads the whole set."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """The hidden and the unavailable items of one shop.

    Works at full memory on servers from version 7.
    Raises: ConfigError for the shop; all its actions raise StoreUnavailable.
    """

    store: Store
    shop: str
    _keys: Keys = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_keys", Keys(self.shop))

    def hide(self, ids: Iterable[str]) -> int:
        """Show these items nowhere from now on; how many that changes. Raises: DataError."""
        return len(self._change(HIDDEN, _checked(ids), withhold=True))

    def unhide(self, ids: Iterable[str]) -> int:
        """Show these items again; how many that changes. Raises: DataError."""
        changed = self._change(HIDDEN, _checked(ids), withhold=False)
        if changed:
            self.trim()
        return len(changed)

    def mark(self, ids: Iterable[str], *, available: bool) -> list[str]:
        """Mark items as available or not; those that were not marked so. Raises: DataError.

        The caller trims the traces of items that are available again.
        """
        return self._change(UNAVAILABLE, _checked(ids), withhold=not available)

    def hidden(self) -> list[str]:
        """The ids of all items that merchandisers hid, the longest hidden first."""
        return self._marked((HIDDEN,))

    def unavailable(self) -> list[str]:
        """The ids of all unavailable items, the longest unavailable first."""
        return self._marked((UNAVAILABLE,))

    def withheld(self) -> frozenset[str]:
        """The ids of all items that must not be shown."""
        return frozenset(self._marked((HIDDEN, UNAVAILABLE)))

    def _marked(self, kinds: Sequence[Signs]) -> list[str]:
        with self._errors("reading"):
            members = cast("list[bytes]", self.store.zrange(self._keys.hidden, 0, -1))
        signs = tuple(kind.withheld.encode() for kind in kinds)
        return [
            member[1:].decode(errors="replace") for member in members if member.startswith(signs)
        ]

    def _change(self, signs: Signs, ids: Sequence[str], *, withhold: bool) -> list[str]:
        keys = [self._keys.hidden, self._keys.hidden_version]
        changed: list[bytes] = []
        if not ids:
            return []
        with self._errors("changing"):
            scripts = Scripts.on(self.store)
            for start in range(0, len(ids), BATCH):
                batch = ids[start : start + BATCH]
                reply = scripts.run(CHANGE_HIDDEN, keys, [*signs, "01"[withhold], *batch])
                changed += cast("list[bytes]", reply)
        return [item.decode() for item in changed]

    def trim(self) -> None:
        """Forget the traces of items shown again that no reader needs any more."""
        keys = [self._keys.hidden, self._keys.hidden_floor]
        with self._errors("trimming"):
            seconds, _ = server_of(self.store, self._keys.hidden).time()
            oldest = seconds * 1000 - TRACE_MS
            traces = (
                member
                for member, number in self.store.zscan_iter(self._keys.hidden, TRACES, BATCH)
                if number < oldest
            )
            scripts = Scripts.on(self.store)
            while batch := list(islice(traces, BATCH)):
                scripts.run(TRIM_HIDDEN, keys, [oldest, *batch])

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        what = f"shop {self.shop}: {action} the hidden items failed"
        remedy = "see to the server and run again"
        with store_errors(what, remedy), junk_named(self.store, self._keys):
            yield


def _checked(ids: Iterable[str]) -> list[str]:
    """The distinct ids. Raises: DataError naming the first that is none."""
    distinct = list(dict.fromkeys(ids))
    for value in distinct:
        if reason := item_id.fault(value):
            raise DataError(f"item id {value!r:.60}: {reason}")
    return distinct
