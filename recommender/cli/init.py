"""`recommender init`: a settings file for the files of a shop."""

import argparse
import dataclasses
import importlib.util
import math
import re
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli_w
from rich.console import Console

from recommender.cli.arguments import UsageError, argument, command, flag
from recommender.cli.terminal import console, cut, table, write
from recommender.core.recipe import Choice
from recommender.errors import ConfigError, DataError, RecommenderError
from recommender.insights.input_checks import examine_scripts, mapping_of, read_sample
from recommender.insights.looks import database_looks, looks
from recommender.insights.proposals import Proposal, propose, repair
from recommender.readers.assembly import ShopData
from recommender.readers.fetching import Copies
from recommender.readers.joining import require_joined
from recommender.readers.shop import better_columns_of
from recommender.readers.shop_source import ShopSource
from recommender.settings.loading import CONFIG_FILE, assign, literal, load_without_file
from recommender.settings.model import Settings

ROWS = 3
TITLE = 34
ITEM_COLUMNS = ("item", "title", "category", "price", "group", "in stock")
EVENT_COLUMNS = ("time", "kind", "item", "basket")
WHAT = {"catalogue": "What is sold.", "interactions": "What was bought, or seen."}
HASHING = "A multilingual model is better than hashing: docs/text-encoders.md."
FOREIGN = f"# The default text model knows English alone. {HASHING}"
MISSING = f"# The default text model needs pip install 'recommender[text]'. {HASHING}"


@command(
    "init",
    "Look at the files of a shop, and write recommender.toml: which file is the catalogue, which "
    "has orders or events, the preset of the platform or the columns, and how the ids meet. "
    "Without FILES, the files of the working folder.",
    argument("files", "the catalogue, orders and events", nargs="*", metavar="FILE"),
    argument("--url", "a database in place of files, such as postgresql+psycopg://host/shop"),
    argument("--query", "a query of the database; one each", action="append", metavar="SQL"),
    flag("--yes", "take the proposal without a question"),
    flag("--force", "replace a settings file that is there"),
)
def _init(options: argparse.Namespace) -> int:
    path = Path(options.config or CONFIG_FILE)
    if path.exists() and not options.force:
        raise ConfigError(f"{path} exists: replace it with --force, or check it with doctor")
    if not options.yes and not sys.stdin.isatty():
        raise UsageError("init asks in a terminal; take its proposal with --yes")
    base = path.resolve().parent
    names = options.files
    if base != Path.cwd():
        names = [str(Path(name).resolve()) for name in names]
    shop = _shop_name(base)
    if bool(options.url) != bool(options.query):
        raise UsageError("--url needs --query, such as --query 'select * from products'")
    found = (
        database_looks(options.url, options.query, Copies(base / ".recommender" / "inputs" / shop))
        if options.url
        else looks(names, base)
    )
    draft = Draft(shop, base, propose(found))
    fault = draft.show()
    while not options.yes and draft.ask():
        fault = draft.show()
    path.unlink(missing_ok=True)
    path.touch(mode=0o600 if "@" in (options.url or "") else 0o666)
    write("--config", path, draft.text())
    if fault is not None:
        raise fault
    shown = console()
    shown.print(f"\nWrote {path}. Next:\n  recommender reindex")
    shown.print(f"  recommender related {draft.example()}", soft_wrap=True)
    return 0


def _shop_name(base: Path) -> str:
    """The name of a folder as the name of a shop."""
    return re.sub(r"[^a-z0-9_-]+", "-", base.name.casefold()).strip("-")[:40] or "my-shop"


class Draft:
    """A proposal with the settings and the data that it leads to."""

    def __init__(self, shop: str, base: Path, proposal: Proposal) -> None:
        self.shop = shop
        self.base = base
        self.proposal = proposal
        self.data: ShopData | None = None

    def settings(self) -> Settings:
        """The settings. Raises: ConfigError."""
        tree = {"shop": self.shop} | self.proposal.tables()
        return load_without_file(tomllib.loads(tomli_w.dumps(tree)), (), self.base)

    def source(self) -> ShopSource:
        """A sample of what the settings read. Raises: ConfigError."""
        return dataclasses.replace(self.settings().source(), sample=True)

    def show(self) -> RecommenderError | None:
        """Read the files, and print what they are; returns why they cannot be read, or None."""
        shown = console()
        fault = None
        try:
            self._read()
        except RecommenderError as error:
            self.data, fault = None, error
        try:
            _show_mappings(shown, self.source(), self.proposal)
        except RecommenderError as error:
            fault = fault or error
        if self.data is not None:
            _show_items(shown, self.data)
            _show_events(shown, self.data)
            _show_joins(shown, self.data)
        for name, reason in self.proposal.unused.items():
            shown.print(f"\nNot read: {name}: {reason}", soft_wrap=True)
        fault = fault or self._lacking()
        if fault is not None:
            shown.print(f"\nThese settings do not read the files: {fault}", soft_wrap=True)
        return fault

    def _lacking(self) -> RecommenderError | None:
        """Why the settings lead to no right lists, though they can be read."""
        tables = self.proposal.tables()
        lacks = [name for name in ("catalogue", "interactions") if name not in tables]
        if lacks == ["catalogue"] and self.data is not None and any(self.data.catalogue.title):
            lacks = []
        if lacks and self.proposal.unused:
            names = ", ".join(self.proposal.unused)
            return DataError(
                f"no file was recognised as {lacks[0]}, and {names} is not read: correct the file, "
                f"or name it and its columns in [{lacks[0]}]"
            )
        try:
            if self.data is not None:
                source = self.source()
                share, others = source.joined_share_min, better_columns_of(source)
                require_joined(self.data.report.joins, share, others)
        except RecommenderError as error:
            return error
        return None

    def _read(self) -> None:
        """Read the catalogue and a sample, with ids repaired where that makes them meet."""
        with tempfile.TemporaryDirectory() as folder:
            quarantine = Path(folder, "quarantine.jsonl")
            self.source().fetch()
            self.data = read_sample(self.source(), quarantine)
            if repair(self.proposal, self.data.report.joins):
                self.data = read_sample(self.source(), quarantine)

    def ask(self) -> bool:
        """Ask for a change of the proposal and make it; False where it is accepted as it is."""
        sys.stdout.write(
            "\nPress Enter to write these settings, or change one, such as "
            "catalogue.columns.title = Name\n> "
        )
        sys.stdout.flush()
        answer = sys.stdin.readline().strip()
        if not answer:
            return False
        dotted, _, value = (part.strip() for part in answer.partition("="))
        tree = self.proposal.tables()
        try:
            assign(tree, dotted, literal(value), dotted)
        except ConfigError as error:
            console().print(str(error), soft_wrap=True)
            return True
        given = tree.get("interactions", [])
        self.proposal.catalogue = tree.get("catalogue", {})
        self.proposal.interactions = given if isinstance(given, list) else [given]
        return True

    def text(self) -> str:
        """The settings file, with comments."""
        parts = [
            "# Written by recommender init. recommender config --defaults explains all settings;",
            "# recommender doctor checks these.",
            tomli_w.dumps({"shop": self.shop}),
        ]
        for name, tables in self.proposal.tables().items():
            several = tables if isinstance(tables, list) else [tables]
            preset = any("preset" in each for each in several)
            more = " What is set here replaces that of the preset." if preset else ""
            parts += [f"# {WHAT[name]}{more}", tomli_w.dumps({name: tables})]
        if why := self._why_hashing():
            parts += [why, tomli_w.dumps({"recipe": {"content": {"text": {"use": "hashing"}}}})]
        return "\n".join(parts)

    def _why_hashing(self) -> str:
        """Why the default text model cannot be used, "" where it can."""
        if importlib.util.find_spec("sentence_transformers") is None:
            return MISSING
        default = {"text": Choice("sentence-transformers")}
        titles = () if self.data is None else self.data.catalogue.title
        found = examine_scripts(default, titles)
        return FOREIGN if any(each.verdict != "ok" for each in found) else ""

    def example(self) -> str:
        """An item to look up: of those for sale, the one with most events."""
        if self.data is None:
            return "ITEM"
        counts = [0] * len(self.data.catalogue)
        for row in self.data.interactions.item.tolist():
            counts[row] += 1
        in_stock = self.data.catalogue.in_stock.tolist()
        best = max(range(len(counts)), key=lambda row: (in_stock[row], counts[row]))
        return self.data.catalogue.ids.ids[best]


def _show_mappings(shown: Console, source: ShopSource, proposal: Proposal) -> None:
    """Print what each file is, and the column of each field."""
    catalogue, interactions = source.files()
    parts: list[tuple[Any, Any, dict[str, Any]]] = []
    if catalogue:
        parts.append((source.catalogue, catalogue, proposal.catalogue))
    parts += zip(source.interactions, interactions, proposal.interactions, strict=True)
    for part, files, given in parts:
        preset = f", preset {given['preset']}" if "preset" in given else ""
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        what = files[0].setting.partition(".")[0].capitalize()
        shown.print(f"\n{what}: {Path(files[0].shown).name}{more}{preset}", style="bold")
        found = mapping_of(part, files[0], with_titles=not catalogue)
        shown.print(table(["", ("", "wrap")], [(f"  {name}", c) for name, c in found.items()]))


def _show_items(shown: Console, data: ShopData) -> None:
    items = data.catalogue
    rows = [
        (
            items.ids.ids[row],
            cut(items.title[row], TITLE),
            cut(items.category[row], TITLE),
            "" if math.isnan(items.price[row]) else f"{items.price[row]:.2f}",
            cut(items.group[row], TITLE),
            "yes" if items.in_stock[row] else "no",
        )
        for row in range(len(items))
        if items.title[row]
    ]
    _show_rows(shown, "The first items as they are read", ITEM_COLUMNS, rows[:ROWS])


def _show_events(shown: Console, data: ShopData) -> None:
    events = data.interactions
    rows = []
    for row in range(min(ROWS, len(events))):
        time, basket = int(events.time[row]), int(events.basket[row])
        rows.append(
            (
                f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}" if time else "",
                events.kinds[events.kind[row]],
                data.catalogue.ids.ids[events.item[row]],
                f"#{basket + 1}" if basket >= 0 else "",
            )
        )
    _show_rows(shown, "The first events as they are read", EVENT_COLUMNS, rows)


def _show_rows(
    shown: Console, heading: str, names: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> None:
    """Print the columns that have a text in some row."""
    kept = [place for place in range(len(names)) if any(row[place] for row in rows)]
    if rows:
        shown.print(f"\n{heading}", style="bold")
        cells = [tuple(row[place] for place in kept) for row in rows]
        shown.print(table([names[place] for place in kept], cells))


def _show_joins(shown: Console, data: ShopData) -> None:
    if data.report.joins:
        shown.print("\nThe join", style="bold")
    for join in data.report.joins:
        shown.print(f"{join.source}: {join.shares()}", soft_wrap=True)
    for warning in data.report.warnings:
        shown.print(f"Warning: {warning}", soft_wrap=True)
