"""`recommender lint`."""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from recommender.cli.live import Live, live_build
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress, table
from recommender.core.neighbours import NONE
from recommender.errors import ConfigError
from recommender.insights.checks import KINDS, Finding
from recommender.insights.lint import Report, lint

COLUMNS = ("item", "finding", "detail", "other_item", "title", "other_title")
EXAMPLES = 3


def run(options: argparse.Namespace) -> int:
    """Say what should be mended in the catalogue, and what is odd in the live lists."""
    settings = settings_of(options)
    live = live_build(settings)
    report = lint(settings.job(progress), live.build)
    if options.csv is not None:
        _write(options.csv, report)
    if options.json:
        _print_json(settings.shop, report, live)
    else:
        _print(console(), settings.shop, report, live, options.csv)
    return 0


def _rows(report: Report) -> Iterator[dict[str, str]]:
    ids, titles = report.catalogue.ids.ids, report.catalogue.title
    for finding in report.findings:
        other = finding.other != NONE
        values = (
            ids[finding.row],
            finding.kind,
            finding.detail,
            ids[finding.other] if other else "",
            titles[finding.row],
            titles[finding.other] if other else "",
        )
        yield dict(zip(COLUMNS, values, strict=True))


def _write(path: Path, report: Report) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_rows(report))
    except OSError as error:
        raise ConfigError(f"--csv {path}: {error.strerror}") from error


def _print_json(shop: str, report: Report, live: Live) -> None:
    content = {
        "shop": shop,
        "items": len(report.catalogue),
        "generation": live.number,
        "counts": {kind: len({f.row for f in report.of_kind(kind)}) for kind in KINDS},
        "findings": list(_rows(report)),
    }
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")


def _print(shown: Console, shop: str, report: Report, live: Live, path: Path | None) -> None:
    n_items = len(report.catalogue)
    shown.print(f"Shop {shop}: {n_items:,} items; {live.told}.\n", markup=False)
    found = {kind: report.of_kind(kind) for kind in KINDS}
    counts = {kind: len({finding.row for finding in findings}) for kind, findings in found.items()}
    rows = [
        (kind, f"{counts[kind]:,}", f"{counts[kind] / n_items:.1%}", meaning)
        for kind, meaning in KINDS.items()
        if counts[kind]
    ]
    if not rows:
        shown.print("Nothing found.")
        return
    headings = [("finding", "left"), ("items", "right"), ("share", "right"), ("what it is", "left")]
    shown.print(table(headings, rows))
    for kind, findings in found.items():
        _print_examples(shown, report, kind, findings)
    where = f"All are in {path}." if path else "Give --csv FILE for all of them."
    shown.print(f"\n{where}", markup=False)


def _examples(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The first few; of two that name each other, the first."""
    told: set[int] = set()
    shown = 0
    for finding in findings:
        if finding.row in told:
            continue
        told.add(finding.other)
        yield finding
        shown += 1
        if shown == EXAMPLES:
            return


def _print_examples(shown: Console, report: Report, kind: str, findings: list[Finding]) -> None:
    if not findings:
        return
    shown.print(f"\n{kind}", style="bold", markup=False)
    ids, titles = report.catalogue.ids.ids, report.catalogue.title
    rows: list[tuple[str, str, str]] = []
    for finding in _examples(findings):
        rows.append((f"  {ids[finding.row]}", titles[finding.row], finding.detail))
        if finding.other != NONE:
            rows.append((f"  ~ {ids[finding.other]}", titles[finding.other], ""))
    shown.print(table([("", "left"), ("", "fold"), ("", "left")], rows))
