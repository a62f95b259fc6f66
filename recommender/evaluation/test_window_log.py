"""Peeks: every look at the test window is counted, for a window looked at often is no test."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from recommender.artifacts.store import ArtifactStore

LEDGER = "test-uses"


def record_peek(store: ArtifactStore, facts: Mapping[str, Any]) -> int:
    """Write down one look; return how many there are now.

    Raises: ArtifactError where it cannot be written, for an uncounted look is none.
    """
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    number = 1
    while not store.append(LEDGER, number, entry):
        number += 1
    return number
