"""Live changes of items over HTTP: what a request holds, and the store that it is written to."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from recommender.errors import StoreUnavailable
from recommender.publishing.item_changes import ItemChanges, Outcome
from recommender.service.models import RequestRefused
from recommender.serving.connection import open_store

MAX_CHANGES = 1_000
FORM = f'body: give {{"items": [...]}} with 1 to {MAX_CHANGES:,} changes'

UpdateItems = Callable[[Sequence[object]], Outcome]
"""Applies changes of one shop's items. Raises: StoreUnavailable."""

log = logging.getLogger(__name__)


class ItemsPatch(BaseModel):
    """Changes of items, each with an id, a version or a time if it has one, and fields."""

    items: Annotated[
        list[dict[str, Any]],
        Field(
            min_length=1,
            max_length=MAX_CHANGES,
            examples=[[{"id": "1098066", "version": 7, "price_minor": 999, "stock": 3}]],
        ),
    ]


class RefusedChange(BaseModel):
    """A change that was refused, and why."""

    id: str
    reason: str


class PatchAnswer(BaseModel):
    """How many changes altered something, how many were older or known, and which were refused."""

    applied: int
    ignored: int
    refused: list[RefusedChange]


class StoreUpdates:
    """Applies changes to a store that is opened when it is first needed. Thread-safe."""

    def __init__(self, url: str, shop: str) -> None:
        self._url, self._shop = url, shop
        self._opening = threading.Lock()
        self._changes: ItemChanges | None = None

    def __call__(self, items: Sequence[object]) -> Outcome:
        """Apply changes. Raises: StoreUnavailable."""
        with self._opening:
            if self._changes is None:
                self._changes = ItemChanges(open_store(self._url), self._shop)
        return self._changes.update(items)


def parse_patch(body: bytes) -> list[object]:
    """The changes of a request. Raises: RequestRefused."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(400, "body: not JSON, or nested too deeply") from error
    items = given.get("items") if isinstance(given, dict) and len(given) == 1 else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_CHANGES:
        raise RequestRefused(400, FORM)
    return items


async def patched(update: UpdateItems, items: Sequence[object]) -> PatchAnswer:
    """Apply changes in a thread. Raises: RequestRefused with 503 where the store cannot be used."""
    try:
        outcome = await asyncio.to_thread(update, items)
    except StoreUnavailable as error:
        log.warning("event=items_not_updated reason=%.300s", error)
        remedy = "the store cannot be written; send the changes again"
        raise RequestRefused(503, remedy) from error
    refused = [RefusedChange(id=one.id, reason=one.reason) for one in outcome.refused]
    return PatchAnswer(applied=outcome.applied, ignored=outcome.ignored, refused=refused)
