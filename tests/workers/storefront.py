"""A storefront that reads all the time, and what it saw."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from recommender.serving.lookup import RelatedItems

Seen = dict[tuple[int, str], set[tuple[str, ...]]]


@dataclass
class Storefront:
    """Which lists each generation showed, how often there was which status, and every fault.

    `odd` holds when an answer was anything but the item's own list, by the monotonic clock.
    """

    lists: Seen = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    generations: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    odd: list[float] = field(default_factory=list)

    def check(self) -> None:
        """No exception, no answer of two generations, no list that changed within one."""
        assert self.faults == []
        assert {key: lists for key, lists in self.lists.items() if len(lists) > 1} == {}
        assert self.statuses.total() > 0

    def read(self, related: RelatedItems, items: list[str]) -> None:
        answers = related.get_many(items)
        found = [answer for answer in answers if answer.status in {"ok", "topped_up"}]
        if len({answer.generation for answer in found}) > 1:
            self.faults.append("one answer of two generations")
        for answer in answers:
            self.statuses[answer.status] += 1
            if answer.status != "ok":
                self.odd.append(time.monotonic())
        for answer in found:
            if self.generations[-1:] != [answer.generation]:
                self.generations.append(answer.generation)
            self.lists.setdefault((answer.generation, answer.item), set()).add(answer.ids)


@contextmanager
def storefront(url: str, shop: str, items: list[str]) -> Iterator[Storefront]:
    """Read the lists of some items until the block ends."""
    seen, over = Storefront(), threading.Event()

    def read() -> None:
        related = RelatedItems(url, shop, deadline_s=1.0)
        while not over.is_set():
            try:
                seen.read(related, items)
            except Exception as error:
                seen.faults.append(repr(error))
            time.sleep(0.01)
        related.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()
