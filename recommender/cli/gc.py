"""`recommender gc`."""

import argparse

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, table
from recommender.insights.gc import Removal, tidy

MEBIBYTE = 1024 * 1024


def run(options: argparse.Namespace) -> int:
    """Remove the artifacts that no generation and no recent run needs."""
    settings = settings_of(options)
    with publisher(settings) as shop:
        removal = tidy(
            settings.artifact_store(),
            shop,
            keep_runs=settings.artifacts.keep_runs,
            pinned=settings.artifacts.pinned,
            dry_run=options.dry_run,
        )
    _print(removal, "would be removed" if options.dry_run else "removed")
    return 0


def _print(removal: Removal, verb: str) -> None:
    shown = console()
    if removal.artifacts:
        rows = [(step, f"{count:,}") for step, count in removal.artifacts.items()]
        shown.print(table([("artifacts", "left"), (verb, "right")], rows))
    total = sum(removal.artifacts.values())
    shown.print(
        f"{total:,} artifacts and {removal.runs:,} run records {verb}, "
        f"{removal.n_bytes / MEBIBYTE:,.1f} MiB."
    )
    if removal.at_work:
        numbers = ", ".join(map(str, removal.at_work))
        stopped = "" if removal.complete else " so nothing more was removed;"
        shown.print(f"Run {numbers} may be at work:{stopped} what it needs was kept.")
    elif not removal.complete:
        shown.print("A run began meanwhile: run again when it is done.")
