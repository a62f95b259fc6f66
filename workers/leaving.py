"""Leaving: whether this worker was asked to end, told to its pool and their processes.

A byte of memory that all of them share from the fork on: a signal reaches the worker alone.
"""

import mmap

GRACE_S = 5.0
"""So long a step that is at work may go on; it is done again elsewhere."""

_asked = mmap.mmap(-1, 1)


def leave() -> None:
    """Ask everyone to end."""
    _asked[0] = 1


def stay() -> None:
    """Take it back, as a worker does that begins."""
    _asked[0] = 0


def leaving() -> bool:
    """Whether the worker was asked to end."""
    return _asked[0] == 1
