"""`recommender rules check`, `rules preview` and `rules apply`."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from recommender import pipeline
from recommender.cli.rules_page import page
from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, progress, table
from recommender.core.generation import Generation
from recommender.errors import ConfigError, DataError, RecommenderError
from recommender.live.live_state import live_state
from recommender.live.rule_changes import (
    Preview,
    PreviewedEntry,
    PreviewedList,
    apply_rules,
    preview,
    require_known,
)
from recommender.live.rule_check import Check, RuleFinding, RuleReport, check, check_names
from recommender.merchandising.application import today_of
from recommender.merchandising.rule_file import read_rules, required_rules
from recommender.merchandising.rule_set import RuleSet
from recommender.publishing.embedded import save
from recommender.settings.model import EMBEDDED, Settings

FINDINGS_SHOWN, RULES_SHOWN, LISTS_SHOWN, NAME_SHOWN = 30, 20, 8, 28


def run(options: argparse.Namespace) -> int:
    """Check a rule file, show what it would change, or put it in force."""
    settings = settings_of(options)
    path = _path(settings, options.file)
    if options.action == "check":
        return _check(settings, path, options)
    if options.action == "preview":
        return _preview(settings, path, options)
    return _apply(settings, path, skip_unknown=options.skip_unknown)


def _path(settings: Settings, given: Path | None) -> Path:
    path = given or settings.rule_file()
    if path is None:
        raise ConfigError("no rule file: name one, or set merchandising.rules")
    return path


def _check(settings: Settings, path: Path, options: argparse.Namespace) -> int:
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
        sys.stdout.write(json.dumps(_plain(path, found), ensure_ascii=False) + "\n")
    else:
        _print_check(console(), path, found)
    return DataError.exit_code if found.errors else 0


def _preview(settings: Settings, path: Path, options: argparse.Namespace) -> int:
    rules = required_rules(path)
    valid = rules.on(today_of(rules, options.date))
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
    name = options.placement or next(iter(live.placements))
    found = preview(live, valid, name, options.item)
    if options.html is not None:
        _write(options.html, page(settings.shop, path.name, valid, found))
    _print_preview(console(), path, valid, found)
    return 0


def _apply(settings: Settings, path: Path, *, skip_unknown: bool) -> int:
    rules = required_rules(path)
    valid = rules.on(today_of(rules))
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
        unknown = require_known(valid, live, skip_unknown=skip_unknown)
        generation = apply_rules(live, shop, valid)
        if settings.store.url == EMBEDDED:
            save(shop.store)
    _print_applied(console(), settings.shop, generation, len(valid.rules))
    if idle := len(rules.rules) - len(valid.rules):
        sys.stdout.write(f"{_counted(idle, 'rule')} not valid today.\n")
    if unknown:
        sys.stdout.write(f"{_counted(unknown, 'unknown name')} left out.\n")
    if told := _told_of_settings(settings, valid):
        sys.stdout.write(f"{told}\n")
    return 0


def _print_applied(shown: Console, shop: str, generation: Generation, n_rules: int) -> None:
    if generation.base:
        shown.print(
            f"Overlay {generation.id} over generation {generation.base} of {shop} is live: "
            f"{_counted(n_rules, 'rule')}, {_counted(generation.n_lists, 'related list')} differ.",
            markup=False,
        )
    else:
        shown.print(
            f"Generation {generation.id} of {shop} is live without an overlay: with "
            f"{_counted(n_rules, 'rule')} no related list differs from it.",
            markup=False,
        )


def _told_of_settings(settings: Settings, valid: RuleSet) -> str:
    """What the next reindex will do to these rules, nothing where it applies the same."""
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
    n_warnings = len(found.findings) - n_errors
    shown.print(
        f"{path.name}, {found.today}: {_counted(len(found.rules), 'rule')}"
        f"{f' ({counts})' if counts else ''}, {_counted(n_errors, 'error')}, "
        f"{_counted(n_warnings, 'warning')}.",
        markup=False,
    )
    _print_findings(shown, found.findings)
    _print_lists(shown, found)
    if not found.placements:
        shown.print("\nNothing is live yet: names were checked, lists were not.")
    if n_errors:
        shown.print("\nWith errors the rules are not applied.")


def _print_findings(shown: Console, findings: Sequence[RuleFinding]) -> None:
    if not findings:
        return
    shown.print()
    longest = max(len(finding.rule) for finding in findings[:FINDINGS_SHOWN])
    for finding in findings[:FINDINGS_SHOWN]:
        style = "red" if finding.level == "error" else "yellow"
        line = Text(f"{finding.line:>5}  ")
        line.append(f"{finding.level:<7}", style=style)
        name = _cut(finding.rule, NAME_SHOWN)
        line.append(f"  {name:<{min(longest, NAME_SHOWN)}}  {finding.message}")
        shown.print(line, soft_wrap=True)
    if len(findings) > FINDINGS_SHOWN:
        shown.print(f"       and {len(findings) - FINDINGS_SHOWN:,} more; --json tells all")


def _print_lists(shown: Console, found: Check) -> None:
    if not found.placements:
        return
    headings = [("placement", "left"), *((name, "right") for name in ("lists", "affected"))]
    shown.print()
    shown.print(
        table(
            [*headings, ("fall short", "right"), ("of", "right")],
            [
                (
                    one.placement,
                    f"{one.n_lists:,}",
                    f"{one.n_affected:,}",
                    f"{one.n_short:,}",
                    f"{one.shown}",
                )
                for one in found.placements
            ],
        )
    )
    valid = [report for report in found.rules if report.season == "valid"]
    ordered = sorted(valid, key=lambda report: -report.n_lists)
    if not ordered:
        return
    shown.print()
    shown.print(
        table(
            [("line", "right"), ("rule", "left"), ("does", "left"), ("lists", "right")],
            [_rule_cells(report, shown.width - 50) for report in ordered[:RULES_SHOWN]],
        )
    )
    if len(ordered) > RULES_SHOWN:
        shown.print(f"and {len(ordered) - RULES_SHOWN:,} more; --json tells all")


def _rule_cells(report: RuleReport, width: int) -> tuple[str, str, str, str]:
    rule = report.rule
    where = "" if rule.in_every_list or rule.pairs else f" in lists of {rule.lists_of}"
    does = _cut(f"{rule}{where}", width)
    return str(rule.line), _cut(rule.name, NAME_SHOWN), does, f"{report.n_lists:,}"


def _print_preview(shown: Console, path: Path, rules: RuleSet, found: Preview) -> None:
    shown.print(
        f"{path.name}: {_counted(len(rules.rules), 'valid rule')}; of {found.n_lists:,} "
        f"{found.placement} lists {found.n_changed:,} differ in their first {found.shown}.",
        markup=False,
    )
    for one in found.lists[:LISTS_SHOWN]:
        _print_list(shown, one, found.shown)
    if len(found.lists) > LISTS_SHOWN:
        shown.print(f"\nThe {LISTS_SHOWN} that change most; name others with --item.")


def _print_list(shown: Console, one: PreviewedList, n_shown: int) -> None:
    heading = Text(f"\n{one.item}  {one.title}", style="bold")
    heading.truncate(shown.width, overflow="ellipsis")
    shown.print(heading)
    by = f"; rules: {', '.join(one.rules)}" if one.rules else ""
    shown.print(f"{one.n_new} of {n_shown} are new{by}", markup=False)
    width = (shown.width - 16) // 2
    rows = [
        (
            str(place + 1),
            *_cells(one.before, place, "-", width),
            *_cells(one.after, place, "+", width),
        )
        for place in range(max(len(one.before), len(one.after)))
    ]
    headings = [("#", "right"), ("", "left"), ("before", "left"), ("", "left"), ("after", "left")]
    shown.print(table(headings, rows))


def _cells(entries: Sequence[PreviewedEntry], place: int, mark: str, width: int) -> tuple[str, str]:
    """A mark and a title; what a rule put in is marked too where it was there before."""
    if place >= len(entries):
        return "", ""
    entry = entries[place]
    moved = "*" if entry.evidence == "rule" else ""
    return moved if entry.stays else mark, _cut(entry.title or entry.item, width)


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
        "findings": [dataclasses.asdict(finding) for finding in found.findings],
        "placements": [dataclasses.asdict(one) for one in found.placements],
        "rules": rules,
    }


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--html {path}: {error.strerror}") from error


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
