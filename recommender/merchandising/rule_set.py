"""Rule set: what merchandisers want, and what each value of a rule may be."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recommender.core import item_id
from recommender.core.catalogue import PATH_SEPARATOR

Action = Literal["pin", "boost", "bury", "exclude", "replace"]
ACTIONS: tuple[Action, ...] = get_args(Action)
Pair = tuple[str, str]
MAX_FACTOR = 1000.0
MAX_POSITION = 1000
MAX_NAME = 100
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WHOLE = re.compile(r"\d{1,9}")
Season = Literal["valid", "expired", "not yet valid"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong in a rule file: the line, the rule ("" outside of one), and what."""

    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        rule = f"rule {self.rule!r:.60}: " if self.rule else ""
        return f"line {self.line}: {rule}{self.message}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Items of a catalogue: those that meet every part given, each by any one of its values.

    `items` are ids; `categories` are paths or beginnings of paths, written `Garden > Tools`.
    Where no part is given it means every item.
    """

    items: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether it means every item."""
        return not (self.items or self.brands or self.categories)

    def __str__(self) -> str:
        parts = (("", self.items), ("brand ", self.brands), ("category ", self.categories))
        return " and ".join(what + _some(names) for what, names in parts if names) or "all lists"


@dataclass(frozen=True, slots=True)
class MerchandisingRule:
    """One rule: an action, what it moves, and in whose lists.

    It moves `what` in the lists of `lists_of`, or the second item of each of `pairs` in the list
    of the first; in the named `placements`, all where there is none; from the day `first` to the
    day `last`, both included. `position` counts from 1 and belongs to pin, `by` (more than 1) to
    boost and bury, `substitute` to replace. `line` is its line in its file.
    """

    name: str
    action: Action
    what: Selection = Selection()
    pairs: tuple[Pair, ...] = ()
    lists_of: Selection = Selection()
    placements: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    position: int = 0
    by: float = 1.0
    substitute: str = ""
    line: int = field(default=0, compare=False)

    @property
    def in_every_list(self) -> bool:
        """Whether it is for the lists of all items."""
        return self.lists_of.everything and not self.pairs

    def season(self, today: date) -> Season:
        """Whether it is valid on a day."""
        if self.last is not None and today > self.last:
            return "expired"
        return "not yet valid" if self.first is not None and today < self.first else "valid"

    def meant_for(self, placement: str) -> bool:
        """Whether it is for the lists of a placement."""
        return not self.placements or placement in self.placements

    def plain(self) -> dict[str, Any]:
        """The rule as JSON knows it, without its line and its dates."""
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("line", "first", "last"):
            del content[name]
        for name in ("what", "lists_of"):
            content[name] = {f.name: list(getattr(content[name], f.name)) for f in _PARTS}
        return {**content, "pairs": [list(pair) for pair in self.pairs]}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "MerchandisingRule":
        """Undo `plain`."""
        given = dict(plain)
        for name in ("what", "lists_of"):
            given[name] = Selection(**{part: tuple(ids) for part, ids in given[name].items()})
        given["pairs"] = tuple((owner, other) for owner, other in given["pairs"])
        given["placements"] = tuple(given["placements"])
        return cls(**given)

    def __str__(self) -> str:
        moved = ", ".join(f"{other} in the list of {owner}" for owner, other in self.pairs[:2])
        if self.pairs:
            moved += f" and {len(self.pairs) - 2} more" if len(self.pairs) > 2 else ""
        else:
            moved = str(self.what)
        how = {
            "pin": f" to {self.position}",
            "replace": f" with {self.substitute}",
            "boost": f" by {self.by:g}",
            "bury": f" by {self.by:g}",
        }
        return f"{self.action} {moved}{how.get(self.action, '')}"


@dataclass(frozen=True, slots=True)
class BundleRules:
    """The terms of bundles, as they are written; None and nothing where they are not.

    `discount` is a share of the price, and `categories` have one of their own. `min_score` is what
    any two items of a bundle score at least, in the lists of a `placement`.
    """

    discount: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    min_score: float | None = None
    placement: str = ""
    line: int = field(default=0, compare=False)

    def plain(self) -> dict[str, Any]:
        """The terms as JSON knows them."""
        terms = {name: getattr(self, name) for name in BUNDLE_KEYS}
        return {
            name: dict(value) if name == "categories" else value
            for name, value in terms.items()
            if value or value == 0
        }


BUNDLE_KEYS = ("discount", "min_score", "placement", "categories")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one file, in their order; their days are days in `time_zone`.

    The terms of `bundles` are for answers, not for lists.
    """

    rules: tuple[MerchandisingRule, ...] = ()
    time_zone: str = "UTC"
    bundles: BundleRules | None = None

    def on(self, today: date) -> "RuleSet":
        """The rules that are valid on a day, which then have no dates any more."""
        valid = [rule for rule in self.rules if rule.season(today) == "valid"]
        rules = tuple(replace(rule, first=None, last=None) for rule in valid)
        return RuleSet(rules, bundles=self.bundles)

    def plain(self) -> list[dict[str, Any]]:
        """The rules as JSON knows them, without dates."""
        return [rule.plain() for rule in self.rules]

    @classmethod
    def from_plain(cls, plain: Sequence[Mapping[str, Any]]) -> "RuleSet":
        """Undo `plain`."""
        return cls(tuple(MerchandisingRule.from_plain(rule) for rule in plain))

    @property
    def digest(self) -> str:
        """SHA-256 of what the rules do, hexadecimal; "" where there is none.

        Names count, lines and dates do not: a file that grew a comment is the same.
        """
        if not self.rules:
            return ""
        text = json.dumps(self.plain(), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


_PARTS = fields(Selection)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


# Values, as texts. Raises: ValueError where a text says nothing of the kind.


def rule_name(seen: Mapping[str, int], text: str) -> str:
    """A name that no rule has yet; `seen` gives the lines of the others."""
    if len(text) > MAX_NAME:
        raise ValueError(f"the name has more than {MAX_NAME} characters")
    if text in seen:
        raise ValueError(f"line {seen[text]} has this name already")
    return text


def id_of_item(text: str) -> str:
    """An item id."""
    if reason := item_id.fault(text):
        raise ValueError(f"item id {text!r:.60}: {reason}")
    return text


def category(text: str) -> str:
    """A category path, with the spaces around each `>` as a catalogue has them."""
    return PATH_SEPARATOR.join(part.strip() for part in text.split(">"))


def day(key: str, text: str) -> date:
    """A day, as the value of a key."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"{key} {text!r:.40} is no day; write it as 2026-12-24")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{key} {text}: there is no such day") from error


def position(text: str) -> int:
    """A position in a list."""
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_POSITION:
        raise ValueError(f"position {text!r:.40} is no whole number from 1 to {MAX_POSITION}")
    return int(text)


def factor(text: str) -> float:
    """A factor by which scores are raised or lowered."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 < value <= MAX_FACTOR:
        raise ValueError(f"by {text!r:.40} is no number above 1 and at most {MAX_FACTOR:g}")
    return value


def time_zone(text: str) -> str:
    """The name of a time zone."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time_zone {text!r:.40} is unknown; write it as Europe/Berlin") from error
    return text


def share(what: str, text: str) -> float:
    """A share from 0 to 1, such as 10% or 0.1."""
    number = text.removesuffix("%").strip()
    try:
        value = float(number) / (100 if number != text else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f"{what} {text!r:.40} is no share; write it as 10% or 0.1")
    return value
