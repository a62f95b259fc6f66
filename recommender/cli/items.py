"""`recommender items`: live changes of price, stock, availability and attributes."""

import argparse
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from recommender.cli.arguments import JSON, Command, UsageError, argument, command, flag, ids
from recommender.cli.hiding import item_ids
from recommender.cli.session import connection, save_embedded, settings_of
from recommender.cli.terminal import console, print_json, table
from recommender.publishing.change_fields import KNOWN, TEXTS
from recommender.publishing.hidden import Hidden
from recommender.publishing.inbox import Inbox
from recommender.publishing.item_changes import ItemChanges
from recommender.publishing.publisher import Publisher
from recommender.publishing.servers import StoredLists
from recommender.readers.change_rows import ChangeRows, read_json
from recommender.serving.connection import Store
from recommender.serving.keys import Keys
from recommender.serving.records import decode_record

BATCH = 5_000
SHOWN_REFUSED = 5
STDIN = "-"


@command(
    "update",
    "Apply the changes in FILE: CSV, JSON lines or a JSON array, with a column id",
    argument("--file", "read changes from FILE; - for JSON lines on stdin", required=True),
)
def _update(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    rows, unreadable = _rows(options.file)
    counts: Counter[str] = Counter()
    with connection(settings) as store:
        changes = ItemChanges(store, settings.shop)
        while batch := list(islice(rows, BATCH)):
            outcome = changes.update([change for _, change in batch])
            for refusal in outcome.refused[: max(SHOWN_REFUSED - counts["refused"], 0)]:
                sys.stdout.write(f"line {batch[refusal.place][0]:,}: {refusal.reason}\n")
            counts.update(outcome.counts())
        save_embedded(settings, store)
    for reason, count in unreadable.items():
        sys.stdout.write(f"{count:,} rows: {reason}\n")
    sys.stdout.write(_summary(counts + Counter(refused=unreadable.total())))
    return 0


@command(
    "show",
    "Show what is known of an item: its record, what changed since, and whether it is withheld",
    argument("item", "item id", metavar="ITEM"),
    JSON,
)
def _show(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    item: str = options.item
    with connection(settings) as store:
        hidden = Hidden(store, settings.shop)
        fields = {
            "record": _record(store, settings.shop, item),
            "change": ItemChanges(store, settings.shop).stored([item])[item],
        }
        marks = {
            "hidden": item in hidden.hidden(),
            "unavailable": item in hidden.unavailable(),
        }
    if options.json:
        print_json({"id": item, **fields, **marks})
        return 0
    rows = [
        (kind, name, str(value)) for kind, each in fields.items() for name, value in each.items()
    ]
    console().print(table(["", "field", "value"], rows))
    withheld = " and ".join(name for name, marked in marks.items() if marked)
    console().print(f"{item}: {withheld or 'may be shown'}")
    return 0


@command(
    "clear",
    "Remove the changes of items, so that their records count again",
    *ids("items", "ITEM", "item ids, as in the catalogue"),
    flag("--all", "remove the changes of all items"),
)
def _clear(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    named = [*options.items, *item_ids(options.file)]
    if bool(named) == options.all:
        raise UsageError("name items, or a --file with one id per line, or else --all")
    with connection(settings) as store:
        changes = ItemChanges(store, settings.shop)
        cleared = changes.clear_all() if options.all else changes.clear(named)
        save_embedded(settings, store)
    sys.stdout.write(f"The changes of {cleared:,} items of shop {settings.shop} removed.\n")
    return 0


@command(
    "follow",
    "Apply the changes that arrive in the Redis stream of the shop, until SIGTERM",
    argument(
        "--consumer",
        "name of this consumer, the same after a restart (default: the host's name)",
        default=socket.gethostname(),
        metavar="NAME",
    ),
)
def _follow(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    with connection(settings) as store:
        inbox = Inbox(store, settings.shop, options.consumer)
        sys.stdout.write(f"following {Keys(settings.shop).inbox}\n")
        sys.stdout.flush()
        counts = inbox.follow(stop)
        save_embedded(settings, store)
    sys.stdout.write(_summary(counts))
    return 0


ITEMS = Command(
    "items",
    "Change price, stock, availability and other fields of items between builds. Readers follow "
    "within two seconds.",
    actions=(_update, _show, _clear, _follow),
)


def _rows(name: str) -> tuple[Iterator[tuple[int, object]], Counter[str]]:
    """The changes of a file with their lines, and a count of the rows that are none."""
    if name == STDIN:
        return enumerate(map(read_json, _filled(sys.stdin)), 1), Counter()
    rows = ChangeRows(Path(name), TEXTS | KNOWN | {"version", "time"})
    return iter(rows), rows.unreadable


def _filled(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if not line.isspace())


def _record(store: Store, shop: str, item: str) -> dict[str, object]:
    """The record of an item in the newest live layer that has one, empty without one."""
    keys, publisher = Keys(shop), Publisher(store, shop)
    if publisher.live() is None:
        return {}
    _, layers = publisher.layers()
    values = StoredLists(store).read([keys.record(layer.id, item) for layer in layers])
    stored = next((value for value in values if value is not None), None)
    return {} if stored is None else dict(decode_record(stored, item))


def _summary(counts: Counter[str]) -> str:
    return (
        f"{counts['applied']:,} changes applied, {counts['ignored']:,} ignored as older or known, "
        f"{counts['refused']:,} refused\n"
    )
