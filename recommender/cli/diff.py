"""`recommender diff`."""

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, table
from recommender.insights import diff as releases
from recommender.insights.diff import Difference, Release
from recommender.pages.rendering import render, write

SHOWN = 10


def run(options: argparse.Namespace) -> int:
    """Show how the lists of two releases differ, in the terminal or as an HTML page."""
    settings = settings_of(options)
    store = settings.artifact_store()
    with publisher(settings) as shop:
        old, new = (releases.release(store, shop, name) for name in (options.old, options.new))
    found = releases.differences(store, old, new)
    if options.html is not None:
        title = f"{settings.shop}: {old.number} ({old.role}) next to {new.number} ({new.role})"
        page = render("diff.html", title=title, old=old, new=new, differences=found)
        write(options.html, page)
    _print(console(), settings.shop, (old, new), found)
    return 0


def _print(
    shown: Console, shop: str, both: tuple[Release, Release], found: Sequence[Difference]
) -> None:
    old, new = both
    shown.print(f"Shop {shop}: {old.number} ({old.role}) beside {new.number} ({new.role}).")
    for reason in new.held:
        shown.print(f"  held: {reason}", markup=False)
    rows = [
        (
            one.placement,
            f"{one.n_common:,}",
            f"{one.n_new:,}",
            f"{one.n_gone:,}",
            f"{one.n_changed:,}",
            f"{one.n_reordered:,}",
            f"{one.churn:.1%}",
            f"{len(one.orphaned):,}",
        )
        for one in found
    ]
    headings = ["items in both", "new", "gone", "changed", "reordered", "churn@10", "orphaned"]
    shown.print()
    shown.print(table([("placement", "left"), *((name, "right") for name in headings)], rows))
    for one in found:
        _print_jumps(shown, one)
        _print_best_sellers(shown, one)


def _print_jumps(shown: Console, one: Difference) -> None:
    if not one.jumps:
        return
    shown.print(f"\nEntered the first five of many {one.placement} lists; is it the season?\n")
    for jump in one.jumps[:SHOWN]:
        lists = f"{jump.before:,} to {jump.after:,}"
        _print_line(shown, f"{lists:>16}", f"{jump.item}  {jump.title}")


def _print_best_sellers(shown: Console, one: Difference) -> None:
    if not one.best_sellers:
        return
    shown.print(f"\nBest sellers whose {one.placement} lists changed most:\n")
    for changed in one.best_sellers[:SHOWN]:
        _print_line(shown, f"{changed.kept:>4.0%} stays", f"{changed.item}  {changed.title}")
        for sign, entries in (("-", changed.before), ("+", changed.after)):
            titles = [entry.title or entry.item for entry in entries if not entry.stays]
            if titles:
                _print_line(shown, f"{sign:>10}", " | ".join(titles))


def _print_line(shown: Console, left: str, text: str) -> None:
    line = Text(f"{left}  {text}")
    line.truncate(shown.width, overflow="ellipsis")
    shown.print(line)
