"""`recommender hide` and `unhide`, and files of ids."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from recommender.cli.arguments import ITEMS, UsageError, command
from recommender.cli.session import connection, save_embedded, settings_of
from recommender.core import item_id
from recommender.errors import DataError
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher

SHOWN_UNKNOWN = 5


@command(
    "hide",
    "Remove items from all lists immediately, without a reindex. They stay hidden in later "
    "generations until recommender unhide shows them again.",
    *ITEMS,
)
def _hide(options: argparse.Namespace) -> int:
    return _change_hidden(options, Hidden.hide, "hidden")


@command("unhide", "", *ITEMS)
def _unhide(options: argparse.Namespace) -> int:
    return _change_hidden(options, Hidden.unhide, "shown again")


def _change_hidden(
    options: argparse.Namespace, change: Callable[[Hidden, Sequence[str]], int], done: str
) -> int:
    settings = settings_of(options)
    ids = [*options.items, *item_ids(options.file)]
    if not ids:
        raise UsageError("no item: name some, or a --file with one id per line")
    with connection(settings) as store:
        hidden = Hidden(store, settings.shop)
        changed = change(hidden, ids)
        n_hidden = len(hidden.hidden())
        unknown = []
        if change is Hidden.hide:
            unknown = Publisher(store, settings.shop).unknown(list(dict.fromkeys(ids)))
        save_embedded(settings, store)
    sys.stdout.write(
        f"{changed:,} {done}, {len(set(ids)) - changed:,} unchanged; "
        f"{n_hidden:,} items of shop {settings.shop} are hidden.\n"
    )
    if unknown:
        named = ", ".join(f"{item!r:.80}" for item in unknown[:SHOWN_UNKNOWN])
        more = f" and {len(unknown) - SHOWN_UNKNOWN:,} more" if len(unknown) > SHOWN_UNKNOWN else ""
        sys.stdout.write(
            f"Not in the live lists: {named}{more}. Ids are case-sensitive; these stay hidden if "
            "they appear later.\n"
        )
    return 0


def ids_in(path: Path | None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that are not empty, with their numbers; none without a file.

    Raises: DataError naming the file.
    """
    if path is None:
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8, byte {error.start}") from error
    for number, line in enumerate(lines, 1):
        if line:
            yield number, line


def item_ids(path: Path | None) -> Iterator[str]:
    """The item ids of a file. Raises: DataError naming the file and the line."""
    for number, value in ids_in(path):
        if reason := item_id.fault(value):
            raise DataError(f"{path}: line {number}: item id {value!r:.60}: {reason}")
        yield value
