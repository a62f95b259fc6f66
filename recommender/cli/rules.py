"""`recommender rules check`, `rules preview` and `rules apply`; drafts are in `cli.drafts`."""

import argparse
import sys
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

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
from recommender.cli.drafts import DRAFT, HISTORY, UNDO
from recommender.cli.rule_reports import print_applied, print_check, print_preview
from recommender.cli.session import (
    RULE_FILE_TEXT,
    publisher,
    rule_path,
    save_embedded,
    settings_of,
)
from recommender.cli.terminal import (
    console,
    counted,
    print_json,
    progress,
    write,
)
from recommender.errors import DataError, RecommenderError
from recommender.insights.diff import preview
from recommender.live.live_state import live_state
from recommender.live.rules import (
    Check,
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

RULE_FILE = argument("file", RULE_FILE_TEXT, nargs="?", type=Path, metavar="FILE")
DAY = argument(
    "--date",
    "use the rules that are valid on this day, such as 2026-12-24 (default: today)",
    type=date.fromisoformat,
    metavar="DAY",
)


@command(
    "check", "Check a rule file against the catalogue and the live lists", RULE_FILE, DAY, JSON
)
def _check(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    path = rule_path(settings, options.file)
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
        print_check(console(), path, found)
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
    path = rule_path(settings, options.file)
    rules = required_rules(path)
    valid = rules.on(today_of(rules, options.date))
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
    found = preview(live, valid, options.placement or next(iter(live.placements)), options.item)
    if options.html is not None:
        title = f"{settings.shop}: {path.name} over the live {found.placement} lists"
        page = render("rule_preview.html", title=title, rules=valid.rules, preview=found)
        write("--html", options.html, page)
    print_preview(console(), path, valid, found)
    return 0


@command(
    "apply",
    "Apply the rules to the live lists now, without a reindex",
    RULE_FILE,
    flag("--skip-unknown", "leave out unknown names"),
)
def _apply(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    rules = required_rules(rule_path(settings, options.file))
    valid = rules.on(today_of(rules))
    with publisher(settings) as shop:
        live = live_state(settings.artifact_store(), shop)
        unknown = require_known(valid, live, skip_unknown=options.skip_unknown)
        generation = apply_rules(live, shop, valid)
        save_embedded(settings, shop.store)
    print_applied(console(), settings.shop, generation, len(valid.rules))
    if idle := len(rules.rules) - len(valid.rules):
        sys.stdout.write(f"{counted(idle, 'rule')} not valid today.\n")
    if unknown:
        sys.stdout.write(f"{counted(unknown, 'unknown name')} left out.\n")
    if warning := _next_reindex(settings, valid):
        sys.stdout.write(f"{warning}\n")
    return 0


RULES = Command("rules", actions=(_check, _preview, _apply, DRAFT, UNDO, HISTORY))


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
