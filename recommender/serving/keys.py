"""Every Redis key of a shop: the names of the public contract."""

import re
from dataclasses import dataclass

from recommender.errors import ConfigError

NAME = re.compile(r"[a-z0-9_-]{1,40}")
RECORDS = "@"
"""Stands for the placement in the key of a record; no placement has this name."""

STOREFRONT = ""
"""The reserved id under which a generation has what a storefront needs besides its records."""


def check_shop(name: str) -> None:
    """Refuse a malformed name of a shop. Raises: ConfigError."""
    _check("shop", name)


def check_placement(name: str) -> None:
    """Refuse a malformed name of a placement. Raises: ConfigError."""
    _check("placement", name)


def _check(kind: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise ConfigError(f"{kind} {name!r:.60}: use 1 to 40 of a-z, 0-9, _ and -")


def list_name(placement: str, item_id: str) -> str:
    """The name of a list in its generation. Braces are escaped, so that no id sets its slot."""
    escaped = item_id.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return f"{placement}:{escaped}"


def unescaped(name: str) -> str:
    """The id of an item, as it is written in the name of its list."""
    return name.replace("%7B", "{").replace("%7D", "}").replace("%25", "%")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one shop.

    Control keys carry the literal hash tag `{shop}`, so that one script may touch them on a
    cluster; list keys carry no tag and spread over the slots. Raises: ConfigError for the shop.
    """

    shop: str

    def __post_init__(self) -> None:
        check_shop(self.shop)

    @property
    def live(self) -> str:
        """The pointer that lookups read."""
        return self._control("live")

    @property
    def previous(self) -> str:
        """The pointer before the last swap."""
        return self._control("previous")

    @property
    def seq(self) -> str:
        """The fence counter."""
        return self._control("seq")

    @property
    def lease(self) -> str:
        """The lease of the publisher that is writing."""
        return self._control("lease")

    @property
    def hidden(self) -> str:
        """ZSET of signs and ids, scored by the number of the change.

        `+id`: hidden, `-id`: shown again; `!id`: not available, `=id`: available again.
        """
        return self._control("hidden")

    @property
    def hidden_version(self) -> str:
        """The number of the newest change of `hidden`."""
        return self._control("hidden:version")

    @property
    def hidden_floor(self) -> str:
        """The newest change that was trimmed: readers of an older version read all of `hidden`."""
        return self._control("hidden:floor")

    @property
    def generations(self) -> str:
        """ZSET of the numbers of all generations that have keys, which makes scans unnecessary."""
        return self._control("generations")

    @property
    def due(self) -> str:
        """ZSET of ids, scored by the epoch second at which their availability begins or ends."""
        return self._control("due")

    @property
    def inbox(self) -> str:
        """The stream of changes of items that `recommender items follow` applies."""
        return self._control("inbox")

    def generation(self, number: int) -> str:
        """The hash that describes one generation."""
        return self._control(f"generation:{number}")

    def overlay(self, number: int) -> str:
        """Set of the names of an overlay's lists, which makes scans unnecessary."""
        return self._control(f"generation:{number}:names")

    def prefix(self, generation: int) -> str:
        """The prefix of the list keys of one generation."""
        return f"rec:{self.shop}:{generation}:"

    def related_list(self, generation: int, placement: str, item_id: str) -> str:
        """One related list."""
        return self.prefix(generation) + list_name(placement, item_id)

    def record(self, generation: int, item_id: str) -> str:
        """The product record of one item."""
        return self.related_list(generation, RECORDS, item_id)

    def change(self, item_id: str) -> str:
        """What changed of one item since the build began: its live fields."""
        return self.changes + list_name(RECORDS, item_id)

    @property
    def changes(self) -> str:
        """The prefix of the keys of changes."""
        return f"rec:{self.shop}:"

    def related_lists(self, generation: int) -> str:
        """The pattern that matches the list keys of one generation, and no other key."""
        return self.prefix(generation) + "*"

    def _control(self, name: str) -> str:
        return f"rec:{{{self.shop}}}:{name}"
