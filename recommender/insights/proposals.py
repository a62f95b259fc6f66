"""Proposals: the settings that read a shop's files, from their columns and first values."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from recommender.errors import ConfigError
from recommender.insights.column_words import CATALOGUE, INTERACTIONS
from recommender.insights.input_checks import (
    CANCELLED,
    cancelled_orders,
    cancelled_pattern,
)
from recommender.insights.looks import Look, look, plain, same_layout
from recommender.readers.joining import Join
from recommender.readers.json_tables import LIST
from recommender.readers.times import TimeParser
from recommender.readers.values import numbers
from recommender.settings.presets import Table, presets, recognised, with_preset

FITS = 0.9
"""The least share of a column's values that must be of the type of a field."""
JOINED = 0.5
"""The least share of sold ids that the catalogue must have for a pair of columns of ids."""
DISTINCT = 0.9
TABLES: tuple[Table, ...] = ("catalogue", "interactions")
MAX_KINDS = 30
SKIPPED = 10
"""The most lines before the header that are skipped."""
OF_PRODUCTS = ("variants", "options", "skus", "offers", "children", "variations")
"""Lists of a product; the records around other lists of ids are orders or events."""
SAMPLE = 1_000
NUMERIC = {"price", "quantity"}
WEIGHTS = (
    (re.compile(r"(?i)purchas|order|transact|buy|bought|sale|checkout_complete"), 1.0),
    (re.compile(r"(?i)^(?!.*remov).*(cart|basket|wish|favou?r)"), 0.3),
    (re.compile(r"(?i)view|click|detail|visit"), 0.1),
)


Readable = tuple[Look, dict[str, Any]]
"""A file, the first of those of its layout, with the settings that read it."""


@dataclass(slots=True)
class Proposal:
    """The tables of a settings file, and what was made of each file."""

    catalogue: dict[str, Any] = field(default_factory=dict)
    interactions: list[dict[str, Any]] = field(default_factory=list)
    unused: dict[str, str] = field(default_factory=dict)
    """The files that are not read, with the reason."""

    def tables(self) -> dict[str, Any]:
        """The tables as a settings file has them."""
        tables: dict[str, Any] = {"catalogue": self.catalogue} if self.catalogue else {}
        if self.interactions:
            one = len(self.interactions) == 1
            tables["interactions"] = self.interactions[0] if one else self.interactions
        return tables


def propose(found: Sequence[Look]) -> Proposal:
    """Settings for files: presets by their columns, else columns by their names and values.

    Raises: ConfigError where no file looks like a catalogue or like interactions.
    """
    proposal = Proposal()
    kinds: dict[Table, list[Readable]] = {"catalogue": [], "interactions": []}
    for group in _groups(found):
        first, table, settings = _recognised(group[0])
        names = [each.file.shown for each in group]
        if table:
            path = {"path": names[0] if len(names) == 1 else names}
            kinds[table].append((first, {**(first.origin or path), **settings}))
        else:
            reason = group[0].fault or "neither like a catalogue nor like interactions"
            proposal.unused |= dict.fromkeys(names, reason)
    catalogues, events = kinds["catalogue"], kinds["interactions"]
    if not (catalogues or events):
        told = "; ".join(f"{name}: {reason}" for name, reason in proposal.unused.items())
        raise ConfigError(f"no file that can be read as catalogue or interactions: {told}")
    chosen = max(catalogues, key=lambda each: _met(each[0], events), default=None)
    for other, _ in catalogues:
        if chosen is None or other is not chosen[0]:
            proposal.unused[other.file.shown] = "another catalogue; its ids meet fewer events"
    if chosen is not None:
        proposal.catalogue = chosen[1]
        for each in events:
            _join(chosen, each)
    proposal.interactions = [settings for _, settings in events]
    return proposal


def repair(proposal: Proposal, joins: Sequence[Join]) -> bool:
    """Set what repairs the ids of a source that misses most of its events; whether anything was."""
    changed = False
    for number, join in enumerate(joins):
        causes = [cause for cause in join.causes if cause.setting]
        if not causes or 2 * join.joined_events > join.events:
            continue
        name, _, value = causes[0].setting.partition(" = ")
        ids = tomllib.loads(f"ids = {value}")["ids"]
        table = proposal.catalogue if name.startswith("catalogue") else None
        table = proposal.interactions[number] if table is None else table
        changed |= table.get("ids") != ids
        table["ids"] = ids
    return changed


def _groups(found: Sequence[Look]) -> list[list[Look]]:
    groups: list[list[Look]] = []
    for each in found:
        group = next((g for g in groups if not each.fault and same_layout(g[0], each)), None)
        if group is None:
            groups.append([each])
        else:
            group.append(each)
    return groups


def _recognised(found: Look) -> tuple[Look, Table | Literal[""], dict[str, Any]]:
    """A file, without lines before its header if it has some, with its table and its settings."""
    table, settings = _settings(found)
    text = found.file.format in {"csv", "tsv", "txt"} and not found.fault
    for lines in range(1, SKIPPED + 1) if text and not table else ():
        shorter = look(found.file, skip_lines=lines)
        if not shorter.fault:
            table, settings = _settings(shorter)
        if table:
            return shorter, table, settings
    return found, table, settings


def _settings(look: Look) -> tuple[Table | Literal[""], dict[str, Any]]:
    """The table that a file belongs to, "" for none, and its settings without the path."""
    fitting = [
        (len(presets(table)[name]["signature"]), table, name)
        for table in TABLES
        if (name := recognised(table, look.columns))
    ]
    if fitting:
        _, table, name = max(fitting)
        preset = presets(table)[name]
        own = {key: value for key, value in look.layout.items() if preset.get(key) != value}
        if not look.layout and "delimiter" in preset:
            own["delimiter"] = "\t" if look.file.format == "tsv" else ","
        return table, {"preset": name} | own
    events, items = _columns(look, INTERACTIONS), _columns(look, CATALOGUE)
    events |= _basket(look, events)
    if "item" in events and events.keys() & {"basket", "session", "user"}:
        return "interactions", _with_values(look, dict(look.layout) | {"columns": events})
    if "item" in items and "title" in items:
        return "catalogue", dict(look.layout) | {"columns": items}
    return "", {}


def _columns(look: Look, fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The column of each field, by names and by values that are of the type of the field."""
    named = _named(look)
    found: dict[str, str] = {}
    for name, words in fields.items():
        usable = [named[word] for word in words if word in named and any(look.cells[named[word]])]
        listed = [column for column in usable if LIST in column]
        free = [
            column
            for column in (listed or usable if name == "item" else usable)
            if column not in found.values()
        ]
        fitting = [column for column in free if _fits(name, look.cells[column])]
        if column := next(iter(fitting or (free if name == "time" else [])), ""):
            found[name] = column
    return found


def _named(look: Look) -> dict[str, str]:
    """The columns by their plain names, and those within objects by the ends of their names."""
    named: dict[str, str] = {}
    for name in look.cells:
        named.setdefault(plain(name), name)
    for name in look.cells:
        parts = name.replace("[]", "").split(".")
        for size in range(len(parts) - 1, 0, -1):
            named.setdefault(plain("".join(parts[-size:])), name)
    return named


def _basket(look: Look, events: Mapping[str, str]) -> dict[str, str]:
    """The id of a record whose list has the items, where no column is named as a basket."""
    inside = plain(events.get("item", "").partition(LIST)[0].rpartition(".")[2])
    if "basket" in events or LIST not in events.get("item", "") or inside in OF_PRODUCTS:
        return {}
    names = {plain(name): name for name in look.cells if LIST not in name}
    names = {word: name for word, name in names.items() if name not in events.values()}
    word = next((word for word in ("number", "name", "id", "idoid") if word in names), "")
    return {"basket": names[word]} if word else {}


def _fits(name: str, cells: Sequence[str]) -> bool:
    texts = [text for text in cells[:SAMPLE] if text]
    if not texts:
        return False
    if name == "time":
        faults = TimeParser("UTC", "").seconds(texts, "time")[1]
    elif name in NUMERIC:
        faults = numbers(texts, name)[1]
    elif name == "kind":
        return len(set(texts)) <= MAX_KINDS and any(_weight(text) for text in texts)
    else:
        return True
    return sum(not fault for fault in faults) >= FITS * len(texts)


def _weight(kind: str) -> float:
    if CANCELLED.match(kind):
        return 0.0
    return next((weight for pattern, weight in WEIGHTS if pattern.search(kind)), 0.0)


def _with_values(look: Look, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of interactions with the weights of their kinds, and what is cancelled."""
    columns = settings["columns"]
    if "kind" in columns:
        kinds = Counter(filter(None, look.cells[columns["kind"]]))
        weights = {kind: _weight(kind) for kind in sorted(kinds)}
        settings["weights"] = {kind: weight for kind, weight in weights.items() if weight}
    others = {name: cells for name, cells in look.cells.items() if name not in columns.values()}
    if found := cancelled_orders(others):
        column, words = found
        settings["cancelled"] = {"column": column, "pattern": cancelled_pattern(words)}
    return settings


def _item(look: Look, table: Table, settings: Mapping[str, Any]) -> str:
    """The column of the ids of items."""
    whole = with_preset(table, settings)
    names = [each.strip() for each in whole["columns"]["item"].split("|")]
    return next((name for name in names if name in look.cells), "")


def _share(sold: Sequence[str], listed: Sequence[str]) -> float:
    known = {text for text in listed if text}
    named = {text for text in sold if text}
    return len(named & known) / len(named) if named else 0.0


def _met(look: Look, events: Sequence[Readable]) -> float:
    """The largest share of sold ids that any column of a catalogue has."""
    return max(
        (
            _share(other.cells[_item(other, "interactions", settings)], cells)
            for other, settings in events
            for cells in look.cells.values()
        ),
        default=0.0,
    )


def _join(catalogue: Readable, events: Readable) -> None:
    """Map the pair of columns that meets best, where those of the ids meet too little."""
    (look, settings), (other, own) = catalogue, events
    listed, sold = _item(look, "catalogue", settings), _item(other, "interactions", own)
    if _share(other.cells[sold], look.cells[listed]) >= JOINED:
        return
    taken = {column for name, column in own.get("columns", {}).items() if name != "item"}
    best = max(
        (
            (_share(cells, others), column == listed, name == sold, name, column)
            for name, cells in other.cells.items()
            if name not in taken and len(set(cells)) > 1
            for column, others in look.cells.items()
            if len(set(others)) >= DISTINCT * sum(map(bool, others))
        ),
        default=(0.0, False, False, "", ""),
    )
    if best[0] >= JOINED:
        own.setdefault("columns", {})["item"] = best[3]
        settings.setdefault("columns", {})["item"] = best[4]
