"""Live changes that a build has: which a newer catalogue replaces, and which leave the live layer.

Nobody knows when a catalogue was written. So a change counts until a catalogue comes that is
another than the one of the first build that had the change: that catalogue is newer.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from recommender.publishing.change_fields import AVAILABILITY, is_available, versions_of
from recommender.serving.codec import JSON
from recommender.serving.records import ABOUT_CHANGES


class FoldedField(NamedTuple):
    """A field that changed, its version, and the catalogue of the first build that had it."""

    value: Any
    version: int
    since: str


Fields = Mapping[str, FoldedField]
Folded = Mapping[str, Fields]
"""The changed fields of items, by id and name."""


class FoldedItem(NamedTuple):
    """The changes of an item that a build has, and those that its catalogue made obsolete."""

    effective: Fields
    obsolete: Fields


def joined(live: Mapping[str, Mapping[str, Any]], before: Folded, catalogue: str) -> Folded:
    """What the next build has: the changes that are live, and those of the build before.

    `live` are changes as they are stored; `catalogue` identifies that of the next build.
    """
    found = {}
    for item in sorted({*live, *before}):
        fields = _of_item(live.get(item, {}), before.get(item, {}), catalogue)
        if fields:
            found[item] = fields
    return found


def parted(fields: Fields, catalogue: str, carried: Callable[[str], bool]) -> FoldedItem:
    """The fields of an item that count, and those that a newer catalogue carries."""
    obsolete = {
        name: one for name, one in fields.items() if one.since != catalogue and carried(name)
    }
    return FoldedItem({n: one for n, one in fields.items() if n not in obsolete}, obsolete)


def still_live(stored: Mapping[str, Any], folded: FoldedItem, now_s: float) -> Mapping[str, Any]:
    """What stays of the stored changes of an item once a build is published.

    Fields that have changed since stay. What makes an item unavailable, now or later, stays too:
    the items that are withheld follow from it.
    """
    versions = versions_of(stored)[1]

    def old(name: str, one: FoldedField) -> bool:
        same = stored.get(name) == one.value and versions.get(name) == one.version
        return same or (name in stored and versions[name] < one.version)

    gone = {name for name, one in folded.obsolete.items() if old(name, one)}
    rest = {name: value for name, value in stored.items() if name not in gone}
    bounded = "available_from" in rest or "available_until" in rest
    kept = AVAILABILITY if bounded or not is_available(rest, now_s) else frozenset()
    gone |= {n for n, one in folded.effective.items() if n not in kept and old(n, one)}
    return _without(stored, gone) if gone else stored


def as_changes(folded: Folded) -> Iterable[dict[str, Any]]:
    """Changes that bring what was folded back to the live layer, unless it has newer ones."""
    for item, fields in folded.items():
        for version in sorted({one.version for one in fields.values()}):
            named = {name: one.value for name, one in fields.items() if one.version == version}
            yield {"id": item, "version": version, **named}


def encoded(folded: Folded) -> list[str]:
    """A line of JSON for each item."""
    return [JSON.encode([item, fields]) for item, fields in folded.items()]


def decoded(lines: Iterable[str]) -> Folded:
    """Undo `encoded`."""
    return {
        item: {name: FoldedField(*one) for name, one in fields.items()}
        for item, fields in map(json.loads, lines)
    }


def _of_item(stored: Mapping[str, Any], before: Fields, catalogue: str) -> Fields:
    _, versions = versions_of(stored)
    found = {n: one for n, one in before.items() if versions.get(n, -1) <= one.version}
    for name, value in stored.items():
        if name in ABOUT_CHANGES or (name in found and found[name].version > versions[name]):
            continue
        if name not in found or found[name][:2] != (value, versions[name]):
            found[name] = FoldedField(value, versions[name], catalogue)
    return dict(sorted(found.items()))


def _without(stored: Mapping[str, Any], names: set[str]) -> Mapping[str, Any]:
    """What is stored without some fields; nothing where no field is left."""
    _, versions = versions_of(stored)
    left = {name: value for name, value in stored.items() if name not in {*names, *ABOUT_CHANGES}}
    if not left:
        return {}
    newest = max(versions[name] for name in left)
    others = {
        name: version
        for name, version in versions.items()
        if name not in names and (version != newest or name not in left)
    }
    return {**left, "version": newest} | ({"versions": others} if others else {})
