"""What a storefront calls: related items of one item, from Redis alone, and never an exception."""

import logging
import math
import re
import threading
import time
from collections.abc import Collection
from typing import NamedTuple

from redis import Redis

from recommender import item_id as item_ids
from recommender.errors import ConfigError, StoreUnavailable
from recommender.related import RelatedItem, RelatedList
from recommender.serving import codec, keys
from recommender.serving.connection import connection_pool

POINTER_TTL_S = 1.0
WARNING_INTERVAL_S = 1.0
MAX_ITEMS = 1000

log = logging.getLogger(__name__)


class _Seen(NamedTuple):
    generation: int
    until: float


class RelatedItems:
    """The related lists of one shop. Thread-safe; connects at the first question.

    No wait for Redis lasts longer than `deadline_s`, and none begins when it has passed.
    Raises: ConfigError for a malformed url, shop, deadline or client name.
    """

    def __init__(
        self,
        url: str,
        shop: str,
        *,
        deadline_s: float = 0.05,
        client_name: str = "recommender-lookup",
    ) -> None:
        if not (deadline_s > 0 and math.isfinite(deadline_s)):
            raise ConfigError(f"lookup deadline {deadline_s!r} s: use a number above 0")
        if not re.fullmatch(r"[!-~]+", client_name):
            raise ConfigError(f"client name {client_name!r:.60}: use ASCII without spaces")
        self._keys = keys.Keys(shop)
        self._deadline_s = deadline_s
        self._redis = Redis.from_pool(
            connection_pool(
                url, connect_timeout_s=deadline_s, timeout_s=deadline_s, client_name=client_name
            )
        )
        self._seen = _Seen(0, -math.inf)
        self._warned_at = -math.inf
        self._warning = threading.Lock()

    def get(
        self,
        item_id: str,
        placement: str = "related",
        n: int = 12,
        exclude: Collection[str] = (),
    ) -> RelatedList:
        """At most `n` related items of one item, best first, without those to `exclude`.

        The status is ok; unknown_item where the live generation has no list for the item, or the
        id cannot be one; degraded, with no items, where Redis or what it holds is broken. `n` is
        clamped to 0..1000.

        Raises: TypeError for arguments of a wrong type, and nothing else.
        """
        _check_types(item_id, placement, n, exclude)
        excluded = frozenset(exclude)
        if item_ids.fault(item_id) or not keys.NAME.fullmatch(placement):
            return RelatedList(item_id, placement, 0, "unknown_item")
        try:
            generation, items = self._read(item_id, placement)
        except Exception as error:
            # What a broken server makes redis-py's parsers raise is not a closed list, and no
            # fault behind this line may take a product page down.
            self._warn(error)
            return RelatedList(item_id, placement, 0, "degraded")
        if items is None:
            return RelatedList(item_id, placement, generation, "unknown_item")
        kept = tuple(item for item in items if item.id not in excluded)
        return RelatedList(item_id, placement, generation, "ok", kept[: _clamped(n)])

    def close(self) -> None:
        """Close the connections. A later question opens new ones."""
        self._redis.close()

    def _read(self, item: str, placement: str) -> tuple[int, tuple[RelatedItem, ...] | None]:
        until = time.monotonic() + self._deadline_s
        seen = self._seen
        cached = time.monotonic() < seen.until
        generation = seen.generation if cached else self._live(until)
        raw = self._fetch(self._keys.related_list(generation, placement, item), until)
        if raw is None and cached:
            live = self._live(until)
            if live != generation:
                generation = live
                raw = self._fetch(self._keys.related_list(generation, placement, item), until)
        return generation, None if raw is None else codec.decode_list(raw, item)

    def _live(self, until: float) -> int:
        asked_at = time.monotonic()
        raw = self._fetch(self._keys.live, until)
        if raw is None:
            raise StoreUnavailable("no generation is live")
        generation = codec.decode_pointer(raw).generation
        self._seen = _Seen(generation, asked_at + POINTER_TTL_S)
        return generation

    def _fetch(self, key: str, until: float) -> object:
        if time.monotonic() >= until:
            raise StoreUnavailable("deadline passed")
        return self._redis.get(key)

    def _warn(self, error: Exception) -> None:
        with self._warning:
            now = time.monotonic()
            if now - self._warned_at < WARNING_INTERVAL_S:
                return
            self._warned_at = now
        log.warning(
            "event=lookup_degraded shop=%s error=%s reason=%.200s",
            self._keys.shop,
            type(error).__name__,
            " ".join(str(error).split()),
        )


def _check_types(item_id: object, placement: object, n: object, exclude: object) -> None:
    if not isinstance(item_id, str):
        raise TypeError(f"item_id: text, not {type(item_id).__name__}")
    if not isinstance(placement, str):
        raise TypeError(f"placement: text, not {type(placement).__name__}")
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"n: a whole number, not {type(n).__name__}")
    if isinstance(exclude, str) or not isinstance(exclude, Collection):
        raise TypeError(f"exclude: a collection of item ids, not {type(exclude).__name__}")


def _clamped(n: int) -> int:
    return min(max(n, 0), MAX_ITEMS)
