"""Check: what a reviewer should know of a rule book before it is applied."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import RelatedLists
from recommender.core.recipe import Placement
from recommender.live.live_state import Scene
from recommender.merchandising.application import Rewriting
from recommender.merchandising.conflicts import conflicts
from recommender.merchandising.matching import Shelves, Unknown, nearest
from recommender.merchandising.rule_file import Fault
from recommender.merchandising.rule_set import MerchandisingRule, RuleBook, Season
from recommender.merchandising.whole_lists import Rewritten
from recommender.merchandising.working_lists import Acts

Level = Literal["error", "warning"]
Kind = Literal[
    "malformed", "unknown", "conflict", "barred", "short", "dead", "expired", "not yet valid"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a reviewer should see, in which line and rule."""

    level: Level
    kind: Kind
    line: int
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class RuleReport:
    """One well-formed rule: its season, and in how many lists it acts, by placement."""

    rule: MerchandisingRule
    season: Season
    lists: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_lists(self) -> int:
        """In how many lists of all placements it acts."""
        return sum(self.lists.values())


@dataclass(frozen=True, slots=True)
class PlacementReport:
    """One placement: lists, those in which a rule acts, those then shorter than `shown`."""

    placement: str
    shown: int
    n_lists: int
    n_affected: int
    n_short: int


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of a book; without `placements` there are no lists yet to look at."""

    today: date
    rules: tuple[RuleReport, ...]
    placements: tuple[PlacementReport, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What keeps the book from being applied."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def check(book: RuleBook, faults: Sequence[Fault], today: date, scene: Scene) -> Check:
    """Look at a book over what is live. Raises: ArtifactError."""
    valid = RuleBook(tuple(rule for rule in book.rules if rule.season(today) == "valid"))
    rewriting = scene.rewriting(valid)
    findings = _of_file(book, faults, today, rewriting.shelves, scene.placements)
    acted: dict[str, NDArray[np.int64]] = {}
    reports = []
    barred = np.zeros(len(valid.rules), dtype=np.int64)
    for name, lists in scene.chosen.items():
        made = rewriting.rewritten(scene.placements[name], lists)
        acted[name] = _by_rule(made.acted, valid)
        barred += _by_rule(made.barred, valid)
        report, short = _placed(scene.placements[name], lists.lists, made)
        reports.append(report)
        findings += _short(report, short, made.acted, valid)
    findings += _conflicts(rewriting, valid, {one.rule for one in findings if one.level == "error"})
    findings += _idle(valid, sum(acted.values()), barred, findings)
    return Check(today, _reports(book, valid, today, acted), tuple(reports), _sorted(findings))


def check_names(
    book: RuleBook,
    faults: Sequence[Fault],
    today: date,
    catalogue: Catalogue,
    placements: Iterable[str],
) -> Check:
    """Look at a book over a catalogue alone, where nothing is live."""
    findings = _of_file(book, faults, today, Shelves(catalogue), placements)
    return Check(today, _reports(book, RuleBook(), today, {}), (), _sorted(findings))


def unknown_names(
    book: RuleBook, catalogue: Catalogue, placements: Iterable[str]
) -> Iterator[tuple[MerchandisingRule, Unknown]]:
    """The names in a book that neither the catalogue nor the recipe has."""
    shelves, names = Shelves(catalogue), list(placements)
    for rule in book.rules:
        for unknown in _unknown(rule, shelves, names):
            yield rule, unknown


def _unknown(
    rule: MerchandisingRule, shelves: Shelves, placements: Sequence[str]
) -> Iterator[Unknown]:
    yield from shelves.unknown(rule)
    for name in rule.placements:
        if name not in placements:
            yield Unknown("placement", name, nearest(name, placements))


def _of_file(
    book: RuleBook,
    faults: Sequence[Fault],
    today: date,
    shelves: Shelves,
    placements: Iterable[str],
) -> list[Finding]:
    """What the file and the names in it say, whatever the lists are."""
    found = [Finding("error", "malformed", f.line, f.rule, f.message) for f in faults]
    names = list(placements)
    for rule in book.rules:
        season = rule.season(today)
        if season == "expired":
            found.append(_of_rule(rule, "expired", f"was valid until {rule.last}"))
            continue
        if season == "not yet valid":
            found.append(_of_rule(rule, season, f"will be valid from {rule.first}"))
        found += [
            Finding("error", "unknown", rule.line, rule.name, str(unknown))
            for unknown in _unknown(rule, shelves, names)
        ]
    return found


def _placed(
    placement: Placement, before: RelatedLists, made: Rewritten
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
    report: PlacementReport, short: NDArray[np.int64], acted: Acts, valid: RuleBook
) -> Iterator[Finding]:
    """For each rule that takes something away, how many lists fall short where it acts."""
    counts = _by_rule(acted[np.isin(acted[:, 0], short)], valid)
    for rule, n_lists in zip(valid.rules, counts.tolist(), strict=True):
        if n_lists and rule.action in {"exclude", "replace"}:
            told = f"{_lists(n_lists)} of {report.placement} in which it acts "
            fall = "falls" if n_lists == 1 else "fall"
            yield _of_rule(rule, "short", f"{told}{fall} short of {report.shown}")


def _conflicts(rewriting: Rewriting, valid: RuleBook, wrong: Container[str]) -> Iterator[Finding]:
    sound = [matched for matched in rewriting.matched if matched.rule.name not in wrong]
    for conflict in conflicts(sound):
        rule, other = valid.rules[conflict.number], valid.rules[conflict.other]
        told = f"{conflict.message} {other.name!r:.60} (line {other.line})"
        yield _of_rule(rule, "conflict", told)


def _idle(
    valid: RuleBook,
    acted: NDArray[np.int64] | int,
    barred: NDArray[np.int64],
    findings: Sequence[Finding],
) -> Iterator[Finding]:
    """Rules that do nothing, where nothing worse is told of them, and pins out of stock."""
    told = {finding.rule for finding in findings}
    counts = np.zeros(len(valid.rules), dtype=np.int64) + acted
    for number, rule in enumerate(valid.rules):
        if rule.name in told:
            continue
        if barred[number]:
            message = f"pins what is out of stock, in {_lists(int(barred[number]))}"
            yield _of_rule(rule, "barred", message)
        elif not counts[number]:
            yield _of_rule(rule, "dead", "acts in no list")


def _reports(
    book: RuleBook, valid: RuleBook, today: date, acted: Mapping[str, NDArray[np.int64]]
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
        for rule in book.rules
    )


def _by_rule(acts: Acts, valid: RuleBook) -> NDArray[np.int64]:
    """How many lists each rule stands beside."""
    return np.bincount(acts[:, 1], minlength=len(valid.rules))


def _of_rule(rule: MerchandisingRule, kind: Kind, message: str) -> Finding:
    return Finding("warning", kind, rule.line, rule.name, message)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by line."""
    return tuple(sorted(findings, key=lambda one: (one.level != "error", one.line)))


def _lists(count: int) -> str:
    return f"{count:,} list{'' if count == 1 else 's'}"
