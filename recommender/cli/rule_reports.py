"""What commands print about rules: findings, counts of lists, and lists before and after."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from recommender.cli.terminal import counted, cut, print_cut, right, table
from recommender.core.generation import Generation
from recommender.insights.diff import ChangedList, Entry, Preview
from recommender.live.rules import Check, RuleFinding, RuleReport
from recommender.merchandising.rule_set import RuleSet

FINDINGS_SHOWN, RULES_SHOWN, LISTS_SHOWN, NAME_SHOWN = 30, 20, 8, 28


def print_check(shown: Console, path: Path, found: Check) -> None:
    """Print what was found in a rule file."""
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
    print_findings(shown, found.findings)
    _print_lists(shown, found)
    if not found.placements:
        shown.print("\nNothing is live yet: names were checked, lists were not.")
    if n_errors:
        shown.print("\nA rule file with errors is not applied.")


def print_findings(shown: Console, findings: Sequence[RuleFinding]) -> None:
    """Print findings, the first of them if there are many."""
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


def print_preview(shown: Console, path: Path, rules: RuleSet, found: Preview) -> None:
    """Print how many lists differ, and those that were asked for or change most."""
    shown.print(
        f"{path.name}: {counted(len(rules.rules), 'valid rule')}; of {found.n_lists:,} "
        f"{found.placement} lists {found.n_changed:,} differ in their first {found.shown}.",
    )
    for one in found.lists[:LISTS_SHOWN]:
        print_list(shown, one, found.shown)
    if len(found.lists) > LISTS_SHOWN:
        shown.print(f"\nThese {LISTS_SHOWN} lists change most; name others with --item.")


def print_list(shown: Console, one: ChangedList, n_shown: int) -> None:
    """Print one list before and after."""
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


def print_applied(shown: Console, shop: str, generation: Generation, n_rules: int) -> None:
    """Print what is live after rules were applied."""
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
