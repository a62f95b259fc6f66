"""Polling: how a lookup follows the pointer, the hidden items, and what all pages of a shop need.

`poll` does no input or output itself: it yields commands, is sent their replies, and returns the
new state.
"""

import logging
from collections.abc import Generator
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import RECORDS, STOREFRONT, Keys
from recommender.serving.logs import warn
from recommender.serving.state import (
    HIDDEN,
    UNAVAILABLE,
    UNREAD,
    BestSellers,
    Command,
    LayeredList,
    NotRead,
    PolledState,
    Refused,
    Reply,
    Signs,
    first_layer,
    list_keys,
)
from recommender.serving.storefront import NO_STOREFRONT, Storefront, decode_storefront

log = logging.getLogger(__name__)


class Shopfront(NamedTuple):
    """What a view has for all pages of the shop: its best sellers, and its storefront."""

    best_sellers: BestSellers = MappingProxyType({})
    storefront: Storefront = NO_STOREFRONT


def poll(keys: Keys, state: PolledState) -> Generator[Command, Reply, PolledState]:
    """Read what changed since `state`. Raises: ValueError for a malformed reply."""
    raw, version, floor = yield ("MGET", keys.live, keys.hidden_version, keys.hidden_floor)
    newest = _number(version)
    if newest != state.version:
        from_scratch = newest < state.version or state.version < _number(floor)
        lowest = "-inf" if from_scratch else f"({state.version}"
        try:
            changes = yield ("ZRANGEBYSCORE", keys.hidden, lowest, "+inf")
        except Refused as error:
            # Without its hidden items, a shop still has lists. The next poll asks again.
            if state.hidden_readable:
                remedy = "delete the key and hide the items again"
                message = "event=hidden_unreadable key=%s reason=%.200s; %s"
                warn(log, message, keys.hidden, error, remedy)
            state = replace(state, hidden_readable=False)
        else:
            known = PolledState() if from_scratch else state
            state = replace(
                state,
                hidden=changed(known.hidden, changes, HIDDEN),
                unavailable=changed(known.unavailable, changes, UNAVAILABLE),
                version=newest,
                hidden_readable=True,
            )
    if raw == state.raw and state.complete:
        return state
    try:
        pointer = codec.decode_pointer(raw)
    except ValueError as error:
        warn(log, "event=pointer_unreadable shop=%s reason=%.200s", keys.shop, error)
        return replace(state, raw=raw, pointer=None, complete=True)
    state = replace(state, raw=raw, pointer=pointer, complete=True)
    previous = Shopfront(state.best_sellers, state.storefront)
    live, complete = yield from _poll_shopfront(keys, pointer, pointer.live, previous)
    canary = Shopfront()
    if pointer.canary:
        previous = Shopfront(state.canary_best_sellers, state.canary_storefront)
        canary, complete_too = yield from _poll_shopfront(keys, pointer, pointer.canary, previous)
        complete = complete and complete_too
    return replace(
        state,
        best_sellers=live.best_sellers,
        storefront=live.storefront,
        canary_best_sellers=canary.best_sellers,
        canary_storefront=canary.storefront,
        complete=complete,
    )


def _poll_shopfront(
    keys: Keys, pointer: Pointer, view: View, previous: Shopfront
) -> Generator[Command, Reply, tuple[Shopfront, bool]]:
    """Read the best sellers of a view's placements and its storefront; whether every node answered.

    A placement whose list is missing or malformed has none. Where a node did not answer, what it
    would have said is the `previous`.
    """
    if not view.placements:
        return Shopfront(), True
    places = [(name, codec.BEST_SELLERS) for name in view.placements]
    values = yield ("MGET", *list_keys(keys, view, [*places, (RECORDS, STOREFRONT)]))
    found: dict[str, LayeredList] = {}
    complete, depth = True, len(view.layers)
    for row, name in enumerate(view.placements):
        layers = values[row * depth : (row + 1) * depth]
        try:
            best = first_layer(pointer.fence, view, layers, codec.BEST_SELLERS)
        except NotRead:
            complete = False
            if name in previous.best_sellers:
                found[name] = previous.best_sellers[name]
            continue
        except ValueError as error:
            warn(log, "event=best_sellers_unreadable shop=%s reason=%.200s", keys.shop, error)
            continue
        if best.stored is not None:
            found[name] = best
    stored = values[-1]  # of the full generation: an overlay changes lists alone
    storefront = previous.storefront if stored is UNREAD else _storefront(keys, stored)
    return Shopfront(found, storefront), complete and stored is not UNREAD


def _storefront(keys: Keys, stored: bytes | None) -> Storefront:
    try:
        return NO_STOREFRONT if stored is None else decode_storefront(stored)
    except ValueError as error:
        warn(log, "event=storefront_unreadable shop=%s reason=%.200s", keys.shop, error)
        return NO_STOREFRONT


def changed(items: frozenset[str], changes: Reply, signs: Signs) -> frozenset[str]:
    """Apply the changes with one pair of signs in order; others are ignored."""
    now = set(items)
    for change in changes:
        text = (change or b"").decode(errors="replace")
        if text.startswith(signs.withheld):
            now.add(text[1:])
        elif text.startswith(signs.shown):
            now.discard(text[1:])
    return frozenset(now)


def _number(value: bytes | None) -> int:
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else 0
