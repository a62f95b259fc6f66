"""A change of an item: its fields, checked, and laid over what was stored before.

Each field has a version, and keeps the value of its highest one, in whatever order changes arrive.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from recommender.core import item_id
from recommender.errors import DataError
from recommender.serving.codec import JSON
from recommender.serving.records import ABOUT_CHANGES, total_stock

MAX_FIELDS, MAX_NAME, MAX_TEXT = 50, 100, 1_000
MAX_BYTES = 8_192
"""Of a change, and of all changes of one item as they are stored."""
MAX_NUMBER = 2.0**53
MAX_VERSION = 2**63 - 1
AHEAD_MS = 24 * 60 * 60 * 1000
"""How far a time may lie ahead: a later one would keep every change out that follows."""
EPOCH_MS = 1e11
"""Numbers from here on are milliseconds, those below seconds."""

RESERVED = frozenset({"versions", "score", "top_category"})
"""Names that mean something else in a stored change or in an answer."""
ALTERNATIVES = ("price", "price_minor")
"""Two names of one thing: whichever is set last removes the other."""
AVAILABILITY = frozenset({"stock", "in_stock", "deleted", "available_from", "available_until"})
_NUMBER = re.compile(r"-?\d{1,16}(\.\d{1,16})?", re.ASCII)
_TRUTH: Mapping[str, bool] = MappingProxyType(
    {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
)

Value = str | int | float | bool | dict[str, int | float] | None


@dataclass(frozen=True, slots=True)
class Change:
    """What changes of an item; a field that is None loses what was laid over its record.

    A `version` that is a time also replaces fields of the same version.
    """

    id: str
    version: int
    of_time: bool
    fields: Mapping[str, Value]

    def replaces(self, version: int | None) -> bool:
        """Whether a field of this version, or without any, is replaced."""
        if version is None:
            return True
        return self.version > version or (self.of_time and self.version == version)


def checked_change(given: object, now_ms: int) -> Change:
    """The change that an object of JSON says; without version and time, of the version `now_ms`.

    Numbers, truth values and times may be texts. Raises: DataError saying what is wrong, with
    which value, and what to do.
    """
    if not isinstance(given, Mapping):
        raise DataError(f"{given!r:.60}: give a JSON object with an id and fields")
    item = given.get("id")
    if reason := item_id.fault(item):
        raise DataError(f"id {item!r:.60}: {reason}")
    item = str(item)
    try:
        version = _version(given, now_ms)
        fields = _fields(given)
        encode_change(fields)
    except ValueError as error:
        raise DataError(f"item {item!r:.60}: {error}") from error
    return Change(item, version, "version" not in given, fields)


def laid_over(stored: Mapping[str, Any], change: Change) -> Mapping[str, Any]:
    """What is stored after a change; `stored` itself where all of its fields are newer.

    Raises: DataError where that is too much.
    """
    newest, versions = versions_of(stored)
    taken = {
        name: value for name, value in change.fields.items() if change.replaces(versions.get(name))
    }
    if not taken:
        return stored
    fields = {name: value for name, value in stored.items() if name not in ABOUT_CHANGES} | taken
    fields = {name: value for name, value in fields.items() if value is not None}
    newest = max(newest, change.version)
    versions |= dict.fromkeys(taken, change.version)
    others = {
        name: version
        for name, version in versions.items()
        if version != newest or name not in fields
    }
    after = fields | {"version": newest} | ({"versions": others} if others else {})
    try:
        encode_change(after)
    except ValueError as error:
        remedy = "clear them with recommender items clear"
        raise DataError(
            f"item {change.id!r:.60}: all changes together: {error}; {remedy}"
        ) from error
    return after


def encode_change(fields: Mapping[str, Any]) -> bytes:
    """The JSON that is stored. Raises: ValueError where it is too long or not UTF-8."""
    encoded = JSON.encode(fields).encode()
    if len(encoded) > MAX_BYTES:
        raise ValueError(f"{len(encoded):,} bytes: at most {MAX_BYTES:,}")
    return encoded


def readable_change(stored: Mapping[str, Any]) -> bool:
    """Whether the versions of a stored change are what they should be."""
    versions = stored.get("versions", {})
    return isinstance(versions, dict) and all(
        isinstance(version, int) for version in (stored.get("version", 0), *versions.values())
    )


def is_available(fields: Mapping[str, Any], now_s: float) -> bool:
    """Whether an item may be shown with these changes, at a time in epoch seconds.

    It may not where it is deleted, not in stock, has no stock in any store, or lies outside the
    times between which it is available.
    """
    stock = fields.get("stock")
    return not (
        fields.get("deleted") is True
        or fields.get("in_stock") is False
        or (stock is not None and total_stock(stock) <= 0)
        or fields.get("available_from", -math.inf) > now_s
        or fields.get("available_until", math.inf) <= now_s
    )


def next_bound(fields: Mapping[str, Any], now_s: float) -> int | None:
    """The next epoch second at which the availability of an item begins or ends."""
    bounds = [fields[name] for name in ("available_from", "available_until") if name in fields]
    return min((bound for bound in bounds if bound > now_s), default=None)


def versions_of(stored: Mapping[str, Any]) -> tuple[int, dict[str, int]]:
    """The highest version, and that of each field, also of those that were removed."""
    newest = stored.get("version", 0)
    fields = [name for name in stored if name not in ABOUT_CHANGES]
    return newest, dict.fromkeys(fields, newest) | stored.get("versions", {})


def _version(given: Mapping[str, object], now_ms: int) -> int:
    if "version" in given and "time" in given:
        raise ValueError("version, time: give one of them")
    if "version" in given:
        version = given["version"]
        if isinstance(version, str) and version.isdecimal() and len(version) < 20:
            version = int(version)
        if type(version) is not int or not 0 <= version <= MAX_VERSION:
            raise ValueError(f"version = {version!r:.40}: give a whole number from 0 on")
        return version
    if "time" not in given:
        return now_ms
    milliseconds = int(_milliseconds("time", given["time"]))
    if milliseconds > now_ms + AHEAD_MS:
        raise ValueError(f"time = {given['time']!r:.40}: more than a day ahead; correct the clock")
    return milliseconds


def _fields(given: Mapping[Any, object]) -> dict[str, Value]:
    names = [name for name in given if name not in {"id", "version", "time"}]
    if not 1 <= len(names) <= MAX_FIELDS:
        raise ValueError(f"{len(names)} fields: give 1 to {MAX_FIELDS}")
    priced = [name for name in ALTERNATIVES if name in given]
    if len(priced) > 1:
        raise ValueError("price, price_minor: give one of them")
    fields = {name: _field(name, given[name]) for name in names}
    return dict.fromkeys(ALTERNATIVES) | fields if priced else fields


def _field(name: object, value: object) -> Value:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(f"{name!r:.60}: name a field with 1 to {MAX_NAME} printable characters")
    if name in RESERVED:
        raise ValueError(f"{name}: this name is reserved; choose another")
    if value is None:
        return None
    return _FIELDS.get(name, _attribute)(name, value)


def _attribute(name: str, value: object) -> Value:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"{name}: {len(value):,} characters; give at most {MAX_TEXT:,}")
        return value
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(name, value)
    raise ValueError(f"{name} = {value!r:.40}: give a text, a number, true, false or null")


def _text(name: str, value: object) -> Value:
    if not isinstance(value, str):
        raise ValueError(f"{name} = {value!r:.40}: give a text")  # noqa: TRY004 - one error
    return _attribute(name, value)


def _number(name: str, value: object) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value) if "." in value else int(value)
    # The negation refuses NaN, too.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_NUMBER:
        raise ValueError(f"{name} = {value!r:.40}: give a number")
    return value


def _price(name: str, value: object) -> Value:
    price = _number(name, value)
    if price < 0:
        raise ValueError(f"{name} = {price}: give 0 or more")
    return price


def _minor(name: str, value: object) -> Value:
    minor = _number(name, value)
    if minor < 0 or not isinstance(minor, int):
        raise ValueError(f"{name} = {minor}: give whole minor units, such as cents")
    return minor


def _stock(name: str, value: object) -> Value:
    if not isinstance(value, dict):
        return _number(name, value)
    for store in value:
        if not isinstance(store, str) or not 1 <= len(store) <= MAX_NAME:
            raise ValueError(f"{name}: name stores with 1 to {MAX_NAME} characters")
    return {store: _number(f"{name}.{store}", count) for store, count in value.items()}


def _truth(name: str, value: object) -> Value:
    if isinstance(value, str):
        value = _TRUTH.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r:.40}: give true or false")  # noqa: TRY004 - one error
    return value


def _seconds(name: str, value: object) -> Value:
    return int(_milliseconds(name, value) // 1000)


def _milliseconds(name: str, value: object) -> float:
    """A time in epoch milliseconds; ISO 8601 without an offset is UTC. Raises: ValueError."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            remedy = "give ISO 8601, or epoch seconds or milliseconds"
            raise ValueError(f"{name} = {value!r:.40}: {remedy}") from None
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000
    number = _number(name, value)
    return number * 1000 if abs(number) < EPOCH_MS else number


_FIELDS: Mapping[str, Callable[[str, object], Value]] = MappingProxyType(
    {
        "price": _price,
        "price_minor": _minor,
        "stock": _stock,
        "in_stock": _truth,
        "deleted": _truth,
        "available_from": _seconds,
        "available_until": _seconds,
    }
    | dict.fromkeys(("currency", "title", "brand", "category", "group", "url", "image"), _text)
)
TEXTS = frozenset(name for name, check in _FIELDS.items() if check is _text)
"""Fields that are texts in every record."""
KNOWN = frozenset(_FIELDS)
"""Fields of a known type, whose values may be given as texts."""
