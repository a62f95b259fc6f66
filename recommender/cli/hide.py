"""`recommender hide` and `recommender unhide`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from recommender.cli.listed import listed
from recommender.cli.session import connection, settings_of
from recommender.core import item_id
from recommender.errors import ConfigError, DataError
from recommender.publishing.embedded import save
from recommender.publishing.hidden import Hidden
from recommender.settings.model import EMBEDDED


def run(options: argparse.Namespace) -> int:
    """Hide items, or show them again, and say how many that changed."""
    settings = settings_of(options)
    ids = [*options.items, *listed_items(options.file)]
    if not ids:
        raise ConfigError("no item: name some, or a --file with one id per line")
    with connection(settings) as store:
        hidden = Hidden(store, settings.shop)
        changed = hidden.hide(ids) if options.action == "hide" else hidden.unhide(ids)
        in_all = len(hidden.hidden())
        if settings.store.url == EMBEDDED:
            save(store)
    done = "hidden" if options.action == "hide" else "shown again"
    unchanged = len(set(ids)) - changed
    sys.stdout.write(
        f"{changed:,} {done}, {unchanged:,} unchanged; "
        f"{in_all:,} items of shop {settings.shop} are hidden.\n"
    )
    return 0


def listed_items(path: Path | None) -> Iterator[str]:
    """The ids of a file, one per line. Raises: DataError naming the file and the line."""
    for number, value in listed(path):
        if reason := item_id.fault(value):
            raise DataError(f"{path}: line {number}: item id {value!r:.60}: {reason}")
        yield value
