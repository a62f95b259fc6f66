"""What commands print about drafts of rules: their changes, previews, and history."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from recommender.cli.rule_reports import LISTS_SHOWN, print_applied, print_findings, print_list
from recommender.cli.terminal import counted, cut, right, table
from recommender.insights.draft_preview import DraftPreview
from recommender.live.rule_log import RuleChange
from recommender.live.steering import Applied
from recommender.merchandising.drafts import Draft

_STALE = (
    "The rule file changed since this draft was begun: look at its preview, then run recommender "
    "rules draft rebase."
)


def print_draft(shown: Console, draft: Draft, *, stale: bool) -> None:
    """Print the changes of a draft, with their numbers."""
    shown.print(f"Draft of {draft.author}: {counted(len(draft.changes), 'change')}.")
    if draft.changes:
        rows = [
            (str(number), change.name, str(change), change.reason)
            for number, change in enumerate(draft.changes, 1)
        ]
        shown.print(table([*right("#"), "name", ("does", "wrap"), ("reason", "wrap")], rows))
    if stale:
        shown.print(_STALE)


def print_history(shown: Console, past: Sequence[RuleChange]) -> None:
    """Print past changes of the rules, with their ids."""
    if not past:
        shown.print("No draft was applied yet.")
    for one in past:
        what = f" undoes {one.undoes}" if one.undoes else ""
        shown.print(f"{one.id}  {one.at}  {one.who}  {one.state}{what}  {one.reason}".rstrip())
        for change in one.changes:
            shown.print(f"          {cut(change, shown.width - 10)}")


def print_done(shown: Console, shop: str, done: Applied) -> None:
    """Print what is live after a draft was applied or undone."""
    print_applied(shown, shop, done.generation, done.n_rules)
    if done.n_unknown:
        shown.print(f"{counted(done.n_unknown, 'unknown name')} left out.")
    if done.commit:
        shown.print(f"Commit {done.commit}.")
    if done.warning:
        shown.print(f"Warning: {done.warning}")
    shown.print(f"Take it back with: recommender rules undo {done.id}")


def print_draft_preview(shown: Console, found: DraftPreview) -> None:
    """Print what a draft would change."""
    shown.print(f"Draft of {found.draft.author}: {counted(len(found.effects), 'change')}.")
    if found.stale:
        shown.print(_STALE)
    rows = [
        (effect.change.name, str(effect.change), effect.season, effect.n_lists)
        for effect in found.effects
    ]
    if rows:
        shown.print(table(["name", ("does", "wrap"), "today", *right("lists")], rows))
    print_findings(
        shown, found.errors + tuple(one for one in found.findings if one.level != "error")
    )
    lists = found.lists
    shown.print(
        f"\nOf {lists.n_lists:,} {lists.placement} lists {lists.n_changed:,} would differ in their "
        f"first {lists.shown}."
    )
    for one in lists.lists[:LISTS_SHOWN]:
        print_list(shown, one, lists.shown)


def plain_preview(found: DraftPreview) -> dict[str, object]:
    """The preview of a draft as JSON knows it."""
    return {
        "author": found.draft.author,
        "stale": found.stale,
        "errors": len(found.errors),
        "changes": [
            {
                "name": effect.change.name,
                "does": str(effect.change),
                "season": effect.season,
                "lists": effect.n_lists,
            }
            for effect in found.effects
        ],
        "findings": [asdict(one) for one in found.findings],
        "placements": [asdict(one) for one in found.check.placements],
        "lists": asdict(found.lists),
    }
