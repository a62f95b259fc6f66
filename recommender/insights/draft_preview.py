"""Draft preview: what a draft of rules would change, before it is applied."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from recommender.insights.diff import Preview, preview
from recommender.live.live_state import LiveState
from recommender.live.rules import Check, RuleFinding, check
from recommender.merchandising.application import today_of
from recommender.merchandising.drafts import Change, Draft
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Season, Selection
from recommender.merchandising.rule_source import RuleSource


@dataclass(frozen=True, slots=True)
class Effect:
    """A change of a draft, whether it counts today, and the number of lists in which it acts.

    For a rule that is withdrawn, these are the lists in which it acts now.
    """

    change: Change
    season: Season
    n_lists: int


@dataclass(frozen=True, slots=True)
class DraftPreview:
    """A draft over the live lists.

    `findings` are the errors of all rules, and the warnings of its own, conflicts with others
    included; `check` has all. `lists` are before and after. `stale` says that the rule file changed
    since the draft was begun.
    """

    draft: Draft
    stale: bool
    effects: tuple[Effect, ...]
    findings: tuple[RuleFinding, ...]
    check: Check
    lists: Preview

    @property
    def errors(self) -> tuple[RuleFinding, ...]:
        """What prevents the draft from being applied."""
        return self.check.errors

    @property
    def short(self) -> tuple[RuleFinding, ...]:
        """The lists that fall short because of the draft, by rule and placement."""
        return tuple(finding for finding in self.findings if finding.kind == "short")

    @property
    def conflicts(self) -> tuple[RuleFinding, ...]:
        """The rules that want different things of one list because of the draft."""
        return tuple(finding for finding in self.findings if finding.kind == "conflict")


def preview_draft(
    live: LiveState,
    draft: Draft,
    source: RuleSource,
    *,
    placement: str = "",
    items: Sequence[str] = (),
    today: date | None = None,
) -> DraftPreview:
    """A draft over the rule file as it is, and the lists of some items or those that change most.

    An item that the draft hides counts as excluded from all lists. Raises: DataError for a rule
    that is not in the file; ConfigError for an unknown item or placement; ArtifactError.
    """
    document, _ = draft.edited(source.document)
    rules = _with_hidden(document.rules, draft.items("hide"))
    day = today_of(rules, today)
    found = check(rules, (), day, live)
    names = {_rule_name(change) for change in draft.changes}
    reports = {report.rule.name: report for report in found.rules}
    if any(change.kind == "withdraw" for change in draft.changes):
        before = check(source.document.rules, (), day, live)
        reports = {report.rule.name: report for report in before.rules} | reports
    effects = []
    for change in draft.changes:
        report = reports.get(_rule_name(change))
        season: Season = report.season if report else "valid"
        effects.append(Effect(change, season, report.n_lists if report else 0))
    lists = preview(live, rules.on(day), placement or next(iter(live.placements)), items)
    return DraftPreview(
        draft,
        draft.base != source.digest,
        tuple(effects),
        tuple(
            one for one in found.findings if one.level == "error" or {one.rule, one.other} & names
        ),
        found,
        lists,
    )


def _rule_name(change: Change) -> str:
    return f"hide {change.name}" if change.kind == "hide" else change.name


def _with_hidden(rules: RuleSet, items: Sequence[str]) -> RuleSet:
    hidden = (MerchandisingRule(f"hide {item}", "exclude", Selection((item,))) for item in items)
    return replace(rules, rules=(*rules.rules, *hidden))
