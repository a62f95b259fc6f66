"""Rules over the live lists: checking a rule set, and applying it without a reindex."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.lists import RelatedLists
from recommender.core.recipe import Placement
from recommender.errors import DataError
from recommender.live.live_state import LiveState
from recommender.live.overlays import base_lists, publish_overlay
from recommender.merchandising.application import MerchandisedLists, RuleApplication, snapshot
from recommender.merchandising.conflicts import conflicts
from recommender.merchandising.matching import Shelves, Unknown, nearest
from recommender.merchandising.rule_set import (
    BundleRules,
    Fault,
    MerchandisingRule,
    RuleSet,
    Season,
    Selection,
)
from recommender.merchandising.working_lists import Acts
from recommender.publishing.publisher import Publisher

Level = Literal["error", "warning"]
Kind = Literal[
    "malformed", "unknown", "conflict", "barred", "short", "dead", "expired", "not yet valid"
]


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """A finding for the reviewer: its line, its rule, and the `other` rule of a conflict."""

    level: Level
    kind: Kind
    line: int
    rule: str
    message: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One well-formed rule: its season, and the number of lists in which it acts, by placement."""

    rule: MerchandisingRule
    season: Season
    lists: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_lists(self) -> int:
        """The number of lists of all placements in which it acts."""
        return sum(self.lists.values())


@dataclass(frozen=True, slots=True)
class PlacementReport:
    """Counts of one placement: lists, those in which rules act, those then below `shown`."""

    placement: str
    shown: int
    n_lists: int
    n_affected: int
    n_short: int


@dataclass(frozen=True, slots=True)
class Check:
    """The findings of a rule set; `placements` is empty if nothing is live."""

    today: date
    rules: tuple[RuleReport, ...]
    placements: tuple[PlacementReport, ...]
    findings: tuple[RuleFinding, ...]

    @property
    def errors(self) -> tuple[RuleFinding, ...]:
        """The findings that prevent the rules from being applied."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def check(rules: RuleSet, faults: Sequence[Fault], today: date, live: LiveState) -> Check:
    """Check rules against the live lists. Raises: ArtifactError."""
    valid = rules.on(today)
    application = live.application(valid)
    findings = _of_file(rules, faults, today, application.shelves, live.placements)
    acted: dict[str, NDArray[np.int64]] = {}
    reports = []
    barred = np.zeros(len(valid.rules), dtype=np.int64)
    for name, placement in live.placements.items():
        lists = live.lists(name)
        made = application.applied(placement, lists)
        acted[name] = _by_rule(made.acted, valid)
        barred += _by_rule(made.barred, valid)
        report, short = _placed(placement, lists, made)
        reports.append(report)
        findings += _short(report, short, made.acted, valid)
    findings += _conflicts(
        application, valid, {one.rule for one in findings if one.level == "error"}
    )
    findings += _idle(valid, sum(acted.values()), barred, findings)
    return Check(today, _reports(rules, valid, today, acted), tuple(reports), _sorted(findings))


def check_names(
    rules: RuleSet,
    faults: Sequence[Fault],
    today: date,
    catalogue: Catalogue,
    placements: Iterable[str],
) -> Check:
    """Check rules against a catalogue alone, if nothing is live."""
    findings = _of_file(rules, faults, today, Shelves(catalogue), placements)
    return Check(today, _reports(rules, RuleSet(), today, {}), (), _sorted(findings))


def require_known(rules: RuleSet, live: LiveState, *, skip_unknown: bool) -> int:
    """The number of unknown names in rules. Raises: DataError if there are any and none may be."""
    unknown = list(_unknown(rules, Shelves(live.catalogue), live.placements))
    if unknown and not skip_unknown:
        (rule, name), more = unknown[0], len(unknown) - 1
        raise DataError(
            f"line {rule.line}: rule {rule.name!r:.60}: {name}"
            f"{f' (and {more} more)' if more else ''}; see recommender rules check, or leave out "
            "what such names mean with --skip-unknown"
        )
    return len(unknown)


def apply_rules(live: LiveState, publisher: Publisher, rules: RuleSet) -> Generation:
    """Publish the lists that rules change as an overlay; refreshed items are kept.

    `rules` are those valid on the day. Returns the overlay, or the full generation if no list
    differs from its lists. Raises: ArtifactError; StoreUnavailable, also if something else went
    live since the state was read.
    """
    record = live.record.with_rules(snapshot(rules))
    generation, _ = publish_overlay(
        live.artifacts,
        publisher,
        record,
        base=base_lists(live.artifacts, record),
        seen=live.pointer,
        rewrite=live.application(rules).rewrite(live.placements),
    )
    return generation


def _unknown(
    rules: RuleSet, shelves: Shelves, placements: Iterable[str]
) -> Iterator[tuple[MerchandisingRule, Unknown]]:
    """The names in rules that neither the catalogue nor the recipe has."""
    names = list(placements)
    for rule in rules.rules:
        for unknown in shelves.unknown(rule):
            yield rule, unknown
        for name in rule.placements:
            if name not in names:
                yield rule, Unknown("placement", name, nearest(name, names))


def _of_file(
    rules: RuleSet,
    faults: Sequence[Fault],
    today: date,
    shelves: Shelves,
    placements: Iterable[str],
) -> list[RuleFinding]:
    """The findings that do not depend on lists: malformed rules, seasons and unknown names."""
    found = [RuleFinding("error", "malformed", f.line, f.rule, f.message) for f in faults]
    current = []
    for rule in rules.rules:
        season = rule.season(today)
        if season == "expired":
            found.append(_warning(rule, season, f"was valid until {rule.last}"))
        else:
            current.append(rule)
        if season == "not yet valid":
            found.append(_warning(rule, season, f"will be valid from {rule.first}"))
    found += [
        RuleFinding("error", "unknown", rule.line, rule.name, str(unknown))
        for rule, unknown in _unknown(RuleSet(tuple(current)), shelves, placements)
    ]
    if rules.bundles is not None:
        found += _of_bundles(rules.bundles, shelves, list(placements))
    return found


def _of_bundles(
    bundles: BundleRules, shelves: Shelves, placements: Sequence[str]
) -> Iterator[RuleFinding]:
    """The names in the terms of bundles that neither the catalogue nor the recipe has."""
    of_categories = MerchandisingRule(
        "bundles", "boost", Selection(categories=tuple(bundles.categories))
    )
    unknown = list(shelves.unknown(of_categories))
    if bundles.placement and bundles.placement not in placements:
        near = nearest(bundles.placement, placements)
        unknown.append(Unknown("placement", bundles.placement, near))
    for one in unknown:
        yield RuleFinding("error", "unknown", bundles.line, "bundles", str(one))


def _placed(
    placement: Placement, before: RelatedLists, made: MerchandisedLists
) -> tuple[PlacementReport, NDArray[np.int64]]:
    """The report of a placement, and the rows of the lists that rules leave too short."""
    affected = np.unique(made.acted[:, 0])
    sizes = made.lists.sizes[affected]
    short = affected[(sizes < placement.shown) & (sizes < before.sizes[affected])]
    report = PlacementReport(
        placement.name, placement.shown, len(before), len(affected), len(short)
    )
    return report, short


def _short(
    report: PlacementReport, short: NDArray[np.int64], acted: Acts, valid: RuleSet
) -> Iterator[RuleFinding]:
    """For each rule that removes items, the number of lists in which it acts that fall short."""
    counts = _by_rule(acted[np.isin(acted[:, 0], short)], valid)
    for rule, n_lists in zip(valid.rules, counts.tolist(), strict=True):
        if n_lists and rule.action in {"exclude", "replace"}:
            where = f"{_lists(n_lists)} of {report.placement} in which it acts "
            fall = "falls" if n_lists == 1 else "fall"
            yield _warning(rule, "short", f"{where}{fall} short of {report.shown}")


def _conflicts(
    application: RuleApplication, valid: RuleSet, wrong: Container[str]
) -> Iterator[RuleFinding]:
    sound = [matched for matched in application.matched if matched.rule.name not in wrong]
    for conflict in conflicts(sound):
        rule, other = valid.rules[conflict.number], valid.rules[conflict.other]
        message = f"{conflict.message} {other.name!r:.60} (line {other.line})"
        yield replace(_warning(rule, "conflict", message), other=other.name)


def _idle(
    valid: RuleSet,
    acted: NDArray[np.int64] | int,
    barred: NDArray[np.int64],
    findings: Sequence[RuleFinding],
) -> Iterator[RuleFinding]:
    """Rules without other findings that act nowhere, and pins that are out of stock."""
    reported = {finding.rule for finding in findings}
    counts = np.zeros(len(valid.rules), dtype=np.int64) + acted
    for number, rule in enumerate(valid.rules):
        if rule.name in reported:
            continue
        if barred[number]:
            message = f"pins an item that is out of stock, in {_lists(int(barred[number]))}"
            yield _warning(rule, "barred", message)
        elif not counts[number]:
            yield _warning(rule, "dead", "acts in no list")


def _reports(
    rules: RuleSet, valid: RuleSet, today: date, acted: Mapping[str, NDArray[np.int64]]
) -> tuple[RuleReport, ...]:
    numbers = {rule.name: number for number, rule in enumerate(valid.rules)}
    return tuple(
        RuleReport(
            rule,
            rule.season(today),
            {
                placement: int(counts[numbers[rule.name]])
                for placement, counts in acted.items()
                if rule.name in numbers and rule.meant_for(placement)
            },
        )
        for rule in rules.rules
    )


def _by_rule(acts: Acts, valid: RuleSet) -> NDArray[np.int64]:
    """The number of acts of each rule."""
    return np.bincount(acts[:, 1], minlength=len(valid.rules))


def _warning(rule: MerchandisingRule, kind: Kind, message: str) -> RuleFinding:
    return RuleFinding("warning", kind, rule.line, rule.name, message)


def _sorted(findings: Iterable[RuleFinding]) -> tuple[RuleFinding, ...]:
    """Errors first, then by line."""
    return tuple(sorted(findings, key=lambda one: (one.level != "error", one.line)))


def _lists(count: int) -> str:
    return f"{count:,} list{'' if count == 1 else 's'}"
