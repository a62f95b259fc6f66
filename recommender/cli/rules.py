"""`recommender rules check`, `rules preview` and `rules apply`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.text import Text

from recommender import pipeline
from recommender.cli.arguments import (
    JSON,
    PLACEMENT,
    Command,
    argument,
    command,
    file,
    flag,
    repeated,
)
from recommender.cli.session import publisher, save_embedded, settings_of
from recommender.cli.terminal import (
    console,
    counted,
    cut,
    print_cut,
    print_json,
    progress,
    right,
    table,
    write,
)
from recommender.core.generation import Generation
from recommender.errors import ConfigError, DataError, RecommenderError
from recommender.insights.diff import ChangedList, Entry, Preview, preview
from recommender.live.live_state import live_state
from recommender.live.rules import (
    Check,
    RuleFinding,
    RuleReport,
    apply_rules,
    check,
    check_names,
    require_known,
)
from recommender.merchandising.application import today_of
from recommender.merchandising.rule_file import read_rules, required_rules
from recommender.merchandising.rule_set import RuleSet
from recommender.pages.rendering import render
from recommender.settings.model import Settings

FINDINGS_SHOWN, RULES_SHOWN, LISTS_SHOWN, NAME_SHOWN = 30, 20, 8, 28


_NAMED = "rule file (default: the setting merchandising.rules)"
RULE_FILE = argument("file", _NAMED, nargs="?", type=Path, metavar="FILE")
DAY = argument(
    "--date",
    "use the rules that are valid on this day, such as 2026-12-24 (default: today)",
    type=date.fromisoformat,
    metavar="DAY",
)


def _path(settings: Settings, given: Path | None) -> Path:
    path = given or settings.rule_file()
    if path is None:
        raise ConfigError("no rule file: name one, or set merchandising.rules")
    return path


@command(
    "check", "Check a rule file against the catalogue and the live lists", RULE_FILE, DAY, JSON
)
def _check(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    path = _path(settings, options.file)
    rules, faults = read_rules(path)
    today = today_of(rules, options.date)
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop) if shop.live() else None
    if live is None:
        job = replace(settings.job(progress), rule_file=None)
        _, catalogue, _ = pipeline.read_shop_columns(job)
        names = [placement.name for placement in job.recipe.placements]
        found = check_names(rules, faults, today, catalogue, names)
    else:
        found = check(rules, faults, today, live)
    if options.json:
        print_json(_plain(path, found))
    else:
        _print_check(console(), path, found)
    return DataError.exit_code if found.errors else 0


@command(
    "preview",
    "Show lists before and after the rules",
    RULE_FILE,
    DAY,
    repeated(
        "--item",
        "ITEM",
        "show the list of this item (repeatable; default: the lists that change most)",
    ),
    PLACEMENT,
    file("--html", "also write a page with more lists"),
)
def _preview(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    path = _path(settings, options.file)
    rules = required_rules(path)
    valid = rules.on(today_of(rules, options.date))
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
    found = preview(live, valid, options.placement or next(iter(live.placements)), options.item)
    if options.html is not None:
        title = f"{settings.shop}: {path.name} over the live {found.placement} lists"
        page = render("rule_preview.html", title=title, rules=valid.rules, preview=found)
        write("--html", options.html, page)
    _print_preview(console(), path, valid, found)
    return 0


@command(
    "apply",
    "Apply the rules to the live lists now, without a reindex",
    RULE_FILE,
    flag("--skip-unknown", "leave out unknown names"),
)
def _apply(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    rules = required_rules(_path(settings, options.file))
    valid = rules.on(today_of(rules))
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
        unknown = require_known(valid, live, skip_unknown=options.skip_unknown)
        generation = apply_rules(live, shop, valid)
        save_embedded(settings, shop.store)
    _print_applied(console(), settings.shop, generation, len(valid.rules))
    if idle := len(rules.rules) - len(valid.rules):
        sys.stdout.write(f"{counted(idle, 'rule')} not valid today.\n")
    if unknown:
        sys.stdout.write(f"{counted(unknown, 'unknown name')} left out.\n")
    if warning := _next_reindex(settings, valid):
        sys.stdout.write(f"{warning}\n")
    return 0


RULES = Command("rules", actions=(_check, _preview, _apply))


def _print_applied(shown: Console, shop: str, generation: Generation, n_rules: int) -> None:
    rules = counted(n_rules, "rule")
    if generation.base:
        text = (
            f"Overlay {generation.id} over generation {generation.base} of {shop} is live: "
            f"{rules}, {counted(generation.n_lists, 'related list')} differ."
        )
    else:
        text = (
            f"Generation {generation.id} of {shop} is live without an overlay: with {rules} no "
            "related list differs from it."
        )
    shown.print(text)


def _next_reindex(settings: Settings, valid: RuleSet) -> str:
    """What the next reindex will do to these rules; empty if it applies the same rules."""
    path = settings.rule_file()
    if path is None:
        return "merchandising.rules is not set: the next reindex drops these rules."
    try:
        rules = required_rules(path)
    except RecommenderError as error:
        return f"The next reindex will fail: {error}"
    if rules.on(today_of(rules)).digest == valid.digest:
        return ""
    return f"The next reindex applies {path}, merchandising.rules of the settings, instead."


def _print_check(shown: Console, path: Path, found: Check) -> None:
    seasons = [report.season for report in found.rules]
    counts = ", ".join(
        f"{seasons.count(season):,} {season}"
        for season in ("valid", "expired", "not yet valid")
        if season in seasons
    )
    n_errors = len(found.errors)
    shown.print(
        f"{path.name}, {found.today}: {counted(len(found.rules), 'rule')}"
        f"{f' ({counts})' if counts else ''}, {counted(n_errors, 'error')}, "
        f"{counted(len(found.findings) - n_errors, 'warning')}.",
    )
    _print_findings(shown, found.findings)
    _print_lists(shown, found)
    if not found.placements:
        shown.print("\nNothing is live yet: names were checked, lists were not.")
    if n_errors:
        shown.print("\nA rule file with errors is not applied.")


def _print_findings(shown: Console, findings: Sequence[RuleFinding]) -> None:
    if not findings:
        return
    shown.print()
    width = min(NAME_SHOWN, max(len(finding.rule) for finding in findings[:FINDINGS_SHOWN]))
    for finding in findings[:FINDINGS_SHOWN]:
        style = "red" if finding.level == "error" else "yellow"
        line = Text(f"{finding.line:>5}  ")
        line.append(f"{finding.level:<7}", style=style)
        line.append(f"  {cut(finding.rule, NAME_SHOWN):<{width}}  {finding.message}")
        shown.print(line, soft_wrap=True)
    if len(findings) > FINDINGS_SHOWN:
        shown.print(f"       and {len(findings) - FINDINGS_SHOWN:,} more; --json has all")


def _print_lists(shown: Console, found: Check) -> None:
    if not found.placements:
        return
    counts = [
        (one.placement, one.n_lists, one.n_affected, one.n_short, one.shown)
        for one in found.placements
    ]
    shown.print()
    shown.print(table(["placement", *right("lists", "affected", "fall short", "of")], counts))
    valid = [report for report in found.rules if report.season == "valid"]
    if not valid:
        return
    valid.sort(key=lambda report: -report.n_lists)
    rows = [_rule_cells(report, shown.width - 50) for report in valid[:RULES_SHOWN]]
    shown.print()
    shown.print(table([*right("line"), "rule", "does", *right("lists")], rows))
    if len(valid) > RULES_SHOWN:
        shown.print(f"and {len(valid) - RULES_SHOWN:,} more; --json has all")


def _rule_cells(report: RuleReport, width: int) -> tuple[str, str, str, int]:
    rule = report.rule
    where = "" if rule.in_every_list or rule.pairs else f" in lists of {rule.lists_of}"
    name, does = cut(rule.name, NAME_SHOWN), cut(f"{rule}{where}", width)
    return str(rule.line), name, does, report.n_lists


def _print_preview(shown: Console, path: Path, rules: RuleSet, found: Preview) -> None:
    shown.print(
        f"{path.name}: {counted(len(rules.rules), 'valid rule')}; of {found.n_lists:,} "
        f"{found.placement} lists {found.n_changed:,} differ in their first {found.shown}.",
    )
    for one in found.lists[:LISTS_SHOWN]:
        _print_list(shown, one, found.shown)
    if len(found.lists) > LISTS_SHOWN:
        shown.print(f"\nThese {LISTS_SHOWN} lists change most; name others with --item.")


def _print_list(shown: Console, one: ChangedList, n_shown: int) -> None:
    print_cut(shown, f"\n{one.item}  {one.title}", style="bold")
    by = f"; rules: {', '.join(one.rules)}" if one.rules else ""
    shown.print(f"{one.n_new} of {n_shown} are new{by}")
    width = (shown.width - 16) // 2
    rows = []
    for place in range(max(len(one.before), len(one.after))):
        before, after = _cell(one.before, place, "-", width), _cell(one.after, place, "+", width)
        rows.append((str(place + 1), *before, *after))
    shown.print(table([*right("#"), "", "before", "", "after"], rows))


def _cell(entries: Sequence[Entry], place: int, mark: str, width: int) -> tuple[str, str]:
    """A mark and a title. An entry that a rule put in is marked even if it was there before."""
    if place >= len(entries):
        return "", ""
    entry = entries[place]
    moved = "*" if entry.evidence == "rule" else ""
    return moved if entry.stays else mark, cut(entry.title or entry.item, width)


def _plain(path: Path, found: Check) -> dict[str, object]:
    rules = [
        {
            "line": report.rule.line,
            "name": report.rule.name,
            "action": report.rule.action,
            "does": str(report.rule),
            "season": report.season,
            "lists": dict(report.lists),
        }
        for report in found.rules
    ]
    return {
        "file": path.name,
        "date": found.today.isoformat(),
        "errors": len(found.errors),
        "findings": [asdict(finding) for finding in found.findings],
        "placements": [asdict(one) for one in found.placements],
        "rules": rules,
    }
