"""What a reader knows of a shop before anybody asks: pointer, hidden items, best sellers.

`poll` speaks no network: it yields commands, is sent their replies, and returns what is known
then, so that threads and asyncio share it.
"""

import hashlib
import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from recommender.serving import codec
from recommender.serving.cache import Found
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys, list_name

Command = tuple[str, ...]
Reply = Sequence[bytes | None]
BestSellers = Mapping[str, Found]
"""The shop's best sellers by placement, the placement that stands in for others first."""

UNREAD = b"unread"
"""Stands in a reply for a value that its node did not tell, compared by identity."""
NEVER = -1
"""Lower than every floor: whoever saw no change yet reads all hidden items."""

log = logging.getLogger(__name__)


class NotRead(ValueError):
    """The node that has the list did not tell."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one poll left. `pointer` is None where there is none, or none of this schema.

    `best` and `trial_best` are those of the last readable pointer, live and canary; `version` is
    the newest change of the hidden items that was seen. `whole` is False where a node of a
    Cluster did not tell its best sellers: those of the pointer before stand in, to be read again.
    """

    raw: bytes | None = None
    pointer: Pointer | None = None
    best: BestSellers = field(default_factory=dict)
    trial_best: BestSellers = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    version: int = NEVER
    whole: bool = True

    def falls_to_canary(self, key: str) -> bool:
        """Whether requests of `key` read the canary; those without a key never do."""
        pointer = self.pointer
        if not key or pointer is None or pointer.canary is None:
            return False
        return share_of(key) < pointer.canary_share


def share_of(key: str) -> float:
    """The place of a key in 0 to 1, the same in every process and language."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def poll(keys: Keys, known: Known) -> Generator[Command, Reply, Known]:
    """Read what changed since `known`. Raises: ValueError for a reply that is none."""
    raw, version, floor = yield ("MGET", keys.live, keys.hidden_version, keys.hidden_floor)
    newest = _number(version)
    if newest != known.version:
        whole = newest < known.version or known.version < _number(floor)
        lowest = "-inf" if whole else f"({known.version}"
        changes = yield ("ZRANGEBYSCORE", keys.hidden, lowest, "+inf")
        hidden = changed(frozenset() if whole else known.hidden, changes)
        known = replace(known, hidden=hidden, version=newest)
    if raw == known.raw and known.whole:
        return known
    try:
        pointer = codec.decode_pointer(raw)
    except ValueError as error:
        log.warning("event=pointer_unreadable shop=%s reason=%.200s", keys.shop, error)
        return replace(known, raw=raw, pointer=None, whole=True)
    known = replace(known, raw=raw, pointer=pointer, whole=True)
    best, known = yield from best_sellers(keys, pointer.live, known, known.best)
    trial_best: BestSellers = {}
    if pointer.canary:
        trial = pointer.canary
        trial_best, known = yield from best_sellers(keys, trial, known, known.trial_best)
    return replace(known, best=best, trial_best=trial_best)


def best_sellers(
    keys: Keys, view: View, known: Known, before: BestSellers
) -> Generator[Command, Reply, tuple[BestSellers, Known]]:
    """The best sellers of a view's placements; one whose list is missing or malformed has none.

    Where a node did not tell them, those `before` stay and what is `known` is not whole.
    """
    if not view.placements or known.pointer is None:
        return {}, known
    places = [(name, codec.BEST_SELLERS) for name in view.placements]
    values = yield ("MGET", *list_keys(keys, view, places))
    best: dict[str, Found] = {}
    for name, value in zip(view.placements, _grouped(values, len(view.layers)), strict=True):
        try:
            found = first_found(known.pointer.fence, view, value, codec.BEST_SELLERS)
        except NotRead:
            known = replace(known, whole=False)
            if name in before:
                best[name] = before[name]
            continue
        except ValueError as error:
            log.warning("event=best_sellers_unreadable shop=%s reason=%.200s", keys.shop, error)
            continue
        if found.stored is not None:
            best[name] = found
    return best, known


def list_keys(keys: Keys, view: View, places: Iterable[tuple[str, str]]) -> list[str]:
    """The keys of (placement, item) in all layers of a view, layer by layer for each place."""
    prefixes = [keys.prefix(layer) for layer in view.layers]
    return [
        prefix + name
        for name in [list_name(placement, item) for placement, item in places]
        for prefix in prefixes
    ]


def first_found(fence: int, view: View, values: Reply, item: str) -> Found:
    """Take the first layer that has a list.

    Raises: NotRead where that cannot be told; ValueError where that list is malformed.
    """
    for place, value in enumerate(values):
        if value is UNREAD:
            raise NotRead(f"generation {view.layers[place]} could not be asked")
        if value is not None:
            return Found(fence, view.layers[place], codec.decode_list(value, item))
    return Found(fence, view.layers[-1], None)


def changed(hidden: frozenset[str], changes: Reply) -> frozenset[str]:
    """Apply `+id` and `-id` in order; what begins otherwise is no change."""
    now = set(hidden)
    for change in changes:
        text = (change or b"").decode(errors="replace")
        if text.startswith("+"):
            now.add(text[1:])
        elif text.startswith("-"):
            now.discard(text[1:])
    return frozenset(now)


def _grouped(values: Reply, size: int) -> list[Reply]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() else 0
