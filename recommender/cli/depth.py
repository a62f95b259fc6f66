"""`recommender depth`."""

import argparse
import dataclasses
import sys
from pathlib import Path

from recommender.cli.arguments import JSON, argument, command
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, print_json, right, table
from recommender.insights.list_depths import ANSWERS_MIN, counters_of, proposals


@command(
    "depth",
    "Propose how deep lists should be published, from what conditions (where=) dropped. FILE is an "
    "answer of /metrics, or stats() of a lookup as JSON; the counters of several are added.",
    argument("files", "counters of lookups", nargs="+", type=Path, metavar="FILE"),
    JSON,
)
def _depth(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    found = proposals(settings, counters_of(options.files, settings.shop))
    if options.json:
        print_json([dataclasses.asdict(one) for one in found])
        return 0
    rows = [
        (
            one.placement,
            f"{one.answers:,}",
            f"{one.mean:.1%}",
            f"{one.share:.0%}",
            f"{one.short:,}",
            one.depth,
            one.proposed,
        )
        for one in found
    ]
    figures = right("answers", "dropped", "of 95 % at most", "short", "depth", "proposed")
    console().print(table(["placement", *figures], rows))
    for one in found:
        if one.answers < ANSWERS_MIN:
            sys.stdout.write(
                f"{one.placement}: {one.answers} answers under a condition; "
                f"{ANSWERS_MIN} are needed\n"
            )
        elif one.proposed != one.depth:
            sys.stdout.write(f"\n[placements.{one.placement}]\ndepth = {one.proposed}\n")
    return 0
