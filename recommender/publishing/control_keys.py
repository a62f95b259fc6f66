"""The control keys of a shop, repaired where something else wrote junk into them.

A publish begins with this, and so heals what no reader and no other command may change.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

from redis.exceptions import ResponseError

from recommender.core import item_id
from recommender.errors import StoreUnavailable
from recommender.serving.connection import Store
from recommender.serving.keys import Keys
from recommender.serving.state import HIDDEN, UNAVAILABLE

BATCH = 1000
SIGNS = tuple(sign.encode() for sign in (*HIDDEN, *UNAVAILABLE))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ControlKeys:
    """Finds and removes what does not belong into the control keys of a shop.

    Its errors are those of redis-py.
    """

    store: Store
    keys: Keys

    def repair(self) -> list[str]:
        """Remove keys of another type, and members and numbers that are none; returns the keys."""
        for key in (wrong := self.of_wrong_type()):
            self._report(key, "has the wrong type")
            self.store.unlink(key)
        return [*wrong, *self._junk_members(), *self._junk_numbers()]

    def of_wrong_type(self) -> list[str]:
        """The control keys whose type is not theirs. A publisher may not ask for the type."""
        keys = self.keys
        asked: dict[str, Callable[[str], object]] = dict.fromkeys(
            (keys.hidden, keys.due, keys.generations), partial(self.store.zrange, start=0, end=0)
        )
        strings = (keys.live, keys.previous, keys.seq, keys.lease)
        asked |= dict.fromkeys((*strings, keys.hidden_version, keys.hidden_floor), self.store.get)
        return [key for key, read in asked.items() if _wrong_type(read, key)]

    def _junk_members(self) -> list[str]:
        repaired = []
        for key, is_member in (
            (self.keys.generations, is_number),
            (self.keys.hidden, _is_change),
        ):
            members = (member for member, _ in self.store.zscan_iter(key, count=BATCH))
            junk = [member for member in members if not is_member(member)]
            if junk:
                self._report(key, f"has {len(junk)} members such as {junk[0]!r:.40}")
                self.store.zrem(key, *junk)
                repaired.append(key)
        return repaired

    def _junk_numbers(self) -> list[str]:
        """Remove counters that are no number, and have readers read all hidden items again."""
        keys = (self.keys.seq, self.keys.hidden_version, self.keys.hidden_floor)
        found = {key: cast("bytes | None", self.store.get(key)) for key in keys}
        junk = [key for key, value in found.items() if not is_number(value or b"0")]
        for key in junk:
            self._report(key, f"is {found[key]!r:.40}")
            self.store.unlink(key)
        return junk

    def _report(self, key: str, what: str) -> None:
        hint = "; hide again what must not be shown" if key == self.keys.hidden else ""
        log.error("event=repaired key=%s reason=%s, written by something else%s", key, what, hint)


def _wrong_type(read: Callable[[str], object], key: str) -> bool:
    try:
        read(key)
    except ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return True
    return False


@contextmanager
def junk_named(store: Store, keys: Keys) -> Iterator[None]:
    """Name the control keys that something else wrote, where a command fails for their type.

    Raises: StoreUnavailable.
    """
    try:
        yield
    except ResponseError as error:
        names = "WRONGTYPE" in str(error) and ", ".join(ControlKeys(store, keys).of_wrong_type())
        if not names:
            raise
        raise StoreUnavailable(
            f"shop {keys.shop}: {names}: something else wrote what this key holds; run recommender "
            "reindex --force, which removes that, and keep the server to recommender alone"
        ) from error


def is_number(member: bytes) -> bool:
    """Whether this may be the number of a generation, or a counter."""
    return member.isdigit() and len(member) <= 18


def _is_change(member: bytes) -> bool:
    try:
        return member[:1] in SIGNS and not item_id.fault(member[1:].decode())
    except UnicodeDecodeError:
        return False
