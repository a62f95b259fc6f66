"""`recommender explain` and `lint`."""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from recommender.build.contents import placements, read_catalogue
from recommender.build.job import resumed
from recommender.cli.arguments import JSON, PLACEMENT, argument, command, file
from recommender.cli.lookup import unknown_item
from recommender.cli.session import live_lists, settings_of
from recommender.cli.terminal import console, print_json, progress, right, table, waiting, write_csv
from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import NONE
from recommender.errors import ConfigError, DataError
from recommender.insights.checks import KINDS, Finding
from recommender.insights.explain import Explanation, Position, explain
from recommender.insights.lint import COLUMNS, Report, finding_rows, lint
from recommender.live.live_state import LiveState
from recommender.merchandising.application import rules_of

EXAMPLES = 3
_EFFECTS = {
    ("moved", True): "moved it",
    ("moved", False): "moved others",
    ("barred", True): "barred",
    ("barred", False): "others barred",
    ("displaced", True): "displaced",
    ("displaced", False): "others displaced",
}


@command(
    "explain",
    "Explain why the item OTHER is in the related list of ITEM, or why not: their similarity, "
    "how often they were bought together, and what each stage of the pipeline made of the pair.",
    argument("item", "id of the item whose list it is", metavar="ITEM"),
    argument("other", "id of the item to look for in the list", metavar="OTHER"),
    PLACEMENT,
    JSON,
)
def _explain(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    live, description = live_lists(settings)
    if live is None:
        raise DataError(f"shop {settings.shop}: {description}; run recommender reindex")
    store = settings.artifact_store()
    catalogue = read_catalogue(store, live.build)
    for item in (options.item, options.other):
        if item not in catalogue.ids:
            raise DataError(unknown_item(item, live.number, catalogue))
    names = placements(live.build)
    if options.placement and options.placement not in names:
        raise ConfigError(
            f"--placement {options.placement!r:.60}: generation {live.number} has "
            f"{', '.join(names)}"
        )
    job = resumed(settings.frozen_as(live.run.settings).job(), live.run)
    rows = catalogue.ids.row(options.item), catalogue.ids.row(options.other)
    with waiting("retracing how the list was made"):
        found = explain(job, live, rows, options.placement or names[0])
    if options.json:
        print_json({"shop": settings.shop, "generation": live.number} | dataclasses.asdict(found))
    else:
        _print_explanation(console(), found, catalogue, f"{description}{_overlays(live)}")
    return 0


def _print_explanation(
    shown: Console, found: Explanation, catalogue: Catalogue, description: str
) -> None:
    titles = [catalogue.title[catalogue.ids.row(item)] for item in (found.item, found.other)]
    shown.print(f"Is {found.other} in the {found.placement} list of {found.item}?")
    shown.print(
        table(
            ["", "", ("", "cut")],
            [("  list of", found.item, titles[0]), ("  looked for", found.other, titles[1])],
        )
    )
    answer = "Yes" if found.standing else "No"
    shown.print(f"\n{answer}: {found.verdict}.", style="bold")
    shown.print(f"({description})\n")
    shown.print("What is known about the two", style="bold")
    _print_pair(shown, found)
    shown.print("\nWhat the stages of the pipeline did", style="bold")
    _print_stages(shown, found)


def _overlays(live: LiveState) -> str:
    if not live.overlay_known:
        return "; the overlays on them are unknown"
    refreshed = live.record.refreshed
    parts = [] if refreshed is None else [f"{len(refreshed.items):,} refreshed items"]
    if live.record.rules:
        parts.append(f"{len(rules_of(live.record.rules).rules):,} merchandisers' rules")
    return f", with an overlay of {' and '.join(parts)}" if parts else ""


def _print_pair(shown: Console, found: Explanation) -> None:
    rows = []
    for near in found.nearness:
        usual = f"99 in 100 random pairs are below {near.near:.2f}"
        if near.cosine is None:
            rows.append((f"  cosine of {near.origin}", "none", "one of the two has no vector"))
        else:
            verdict = "near" if near.cosine > near.near else "not near"
            rows.append((f"  cosine of {near.origin}", f"{near.cosine:.2f}", f"{verdict}: {usual}"))
    for one in found.together:
        counts = f"of {one.units_of_item:,} and {one.units_of_other:,}"
        if one.units:
            counts += f", by {one.users:,} known users; {one.lift:,.1f} times chance"
        rows.append((f"  {one.kind} together", f"{one.units:,} times", counts))
    shown.print(table(["", *right(""), ("", "wrap")], rows))


def _print_stages(shown: Console, found: Explanation) -> None:
    rows = []
    for one in found.proposed:
        if one.rank is None:
            rows.append((f"  {one.source}", "not among them", ""))
        else:
            taken = f"the first {one.asked:,} became candidates"
            rows.append((f"  {one.source}", f"rank {one.rank:,}", taken))
    if found.ranked:
        rank, score = found.ranked
        scored = f"of {found.candidates:,} candidates, score {score:.3f}"
        rows.append(("  ranker", f"rank {rank:,}", scored))
    else:
        rows.append(("  ranker", "not scored", f"{found.candidates:,} other items were candidates"))
    passed = found.dropped_by or ("passed" if found.ranked else "not applied")
    dropped = ", ".join(f"{name} {count:,}" for name, count in found.dropped.items())
    rows.append(("  filters", passed, f"dropped of all candidates: {dropped or 'none'}"))
    for acted in found.merchandised:
        effect = _EFFECTS[acted.deed, acted.on_other]
        rows.append(("  merchandisers' rule", effect, f"{acted.name}: {acted.rule}"))
    rows.append(("  list", *_position(found.standing, f"of {found.entries:,}")))
    rows.append(("  the other way round", *_position(found.reverse, "in the other's list")))
    shown.print(table(["", "", ("", "wrap")], rows))


def _position(position: Position | None, of: str) -> tuple[str, str]:
    if position is None:
        return "not there", ""
    return f"rank {position.rank}", f"{of}, score {position.score:.3f}, {position.evidence}"


@command(
    "lint",
    "Find problems in the catalogue, such as duplicate titles or missing prices, and in the live "
    "lists. The exit code is 0 whatever is found.",
    file("--csv", "write all findings to a CSV file"),
    JSON,
)
def _lint(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    live, description = live_lists(settings)
    report = lint(settings.job(progress), live.build if live else None)
    if options.csv is not None:
        write_csv("--csv", options.csv, [COLUMNS, *finding_rows(report)])
    if options.json:
        print_json(_plain(settings.shop, report, live.number if live else None))
    else:
        _print_report(console(), settings.shop, report, description, options.csv)
    return 0


def _plain(shop: str, report: Report, number: int | None) -> dict[str, object]:
    return {
        "shop": shop,
        "items": len(report.catalogue),
        "generation": number,
        "counts": {kind: len({f.row for f in report.of_kind(kind)}) for kind in KINDS},
        "notes": list(report.notes),
        "findings": [dict(zip(COLUMNS, row, strict=True)) for row in finding_rows(report)],
    }


def _print_report(
    shown: Console, shop: str, report: Report, description: str, path: Path | None
) -> None:
    n_items = len(report.catalogue)
    shown.print(f"Shop {shop}: {n_items:,} items; {description}.\n")
    for note in report.notes:
        shown.print(f"{note}\n", style="bold")
    found = {kind: report.of_kind(kind) for kind in KINDS}
    counts = {kind: len({finding.row for finding in findings}) for kind, findings in found.items()}
    rows = [
        (kind, counts[kind], f"{counts[kind] / n_items:.1%}", meaning)
        for kind, meaning in KINDS.items()
        if counts[kind]
    ]
    if not rows:
        shown.print("Nothing found.")
        return
    shown.print(table(["finding", *right("items", "share"), ("meaning", "wrap")], rows))
    for kind, findings in found.items():
        _print_examples(shown, report, kind, findings)
    where = f"All findings are in {path}." if path else "Use --csv FILE to list all findings."
    shown.print(f"\n{where}")


def _examples(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The first few findings; only the first of two items that name each other."""
    named: set[int] = set()
    shown = 0
    for finding in findings:
        if finding.row in named:
            continue
        named.add(finding.other)
        yield finding
        shown += 1
        if shown == EXAMPLES:
            return


def _print_examples(shown: Console, report: Report, kind: str, findings: list[Finding]) -> None:
    if not findings:
        return
    shown.print(f"\n{kind}", style="bold")
    ids, titles = report.catalogue.ids.ids, report.catalogue.title
    rows: list[tuple[str, str, str]] = []
    for finding in _examples(findings):
        rows.append((f"  {ids[finding.row]}", titles[finding.row], finding.detail))
        if finding.other != NONE:
            rows.append((f"  ~ {ids[finding.other]}", titles[finding.other], ""))
    shown.print(table(["", ("", "cut"), ("", "cut")], rows))
