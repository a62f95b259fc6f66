"""What conditions dropped from lists, counted by placement: it says how deep lists should be."""

from typing import NamedTuple

ANSWERS, LOOKED_AT, DROPPED, SHORT = (
    f"filtered_{name}" for name in ("answers", "looked_at", "dropped", "short")
)
TENTHS = "filtered_tenths_{}"
"""Counts the answers by the share of entries that was dropped, in tenths rounded up."""


class Filtered(NamedTuple):
    """The list of one item under a condition: how many entries it looked at and dropped.

    It is `short` where fewer than were asked for met the condition.
    """

    placement: str
    looked_at: int
    dropped: int
    short: bool

    def counts(self) -> dict[str, int]:
        """The counters that it adds to; nothing where the list was empty before."""
        if not self.looked_at:
            return {}
        tenths = -(-10 * self.dropped // self.looked_at)
        found = {ANSWERS: 1, LOOKED_AT: self.looked_at, DROPPED: self.dropped}
        found |= {SHORT: int(self.short), TENTHS.format(tenths): 1}
        return {counter(name, self.placement): count for name, count in found.items()}


def counter(name: str, placement: str) -> str:
    """The name of a counter of one placement."""
    return f"{name}.{placement}"
