"""Overview: what is live in a shop, what needs a person, and the figures of the last builds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from recommender.artifacts.runs import Run, all_runs
from recommender.artifacts.store import ArtifactStore
from recommender.core.generation import Generation, Role
from recommender.errors import DataError
from recommender.merchandising.rule_file import read_rules
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet
from recommender.publishing.publisher import Publisher

SOON = timedelta(days=7)
"""How long before their last day rules are named."""

ConcernKind = Literal["nothing", "held", "failed", "short", "refused", "rule_file", "rule"]


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that a person should look at: its kind, what it is about, and how much.

    `held` and `failed` are about a run, `short` about a placement, `refused` about a file,
    `rule_file` about a fault in that, and `rule` about one that ends on the day `detail`.
    """

    kind: ConcernKind
    about: str
    detail: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """What is live by role, the run that made it if it is recorded, and all runs, newest first."""

    by_role: Mapping[Role, Generation]
    staging: Sequence[int]
    run: Run | None
    runs: Sequence[Run]
    concerns: Sequence[Concern]

    @property
    def live(self) -> Generation | None:
        """The full generation that lookups read."""
        return self.by_role.get("live")

    @property
    def held(self) -> list[Run]:
        """The runs that wait for approval, newest first."""
        return _held(self.runs, self.live)


def overview(
    artifacts: ArtifactStore, publisher: Publisher, today: date, rule_file: Path | None = None
) -> Overview:
    """Look at a shop and its rule file on a day. Raises: StoreUnavailable."""
    generations = publisher.generations()
    by_role: dict[Role, Generation] = {one.role: one for one in generations if one.role}
    staging = [one.id for one in generations if one.state == "staging"]
    runs = all_runs(artifacts)
    live = by_role.get("live")
    run = next((one for one in runs if live is not None and one.number == live.id), None)
    concerns = [*_of_runs(runs, live), *_of_build(run), *_of_rules(rule_file, today)]
    return Overview(by_role, staging, run, runs, concerns)


def expiring(rules: RuleSet, today: date) -> list[MerchandisingRule]:
    """The rules that are valid and end within a week, the first to end first."""
    ending = [
        rule
        for rule in rules.rules
        if rule.season(today) == "valid" and rule.last is not None and rule.last - today <= SOON
    ]
    return sorted(ending, key=lambda rule: rule.last or today)


def _of_runs(runs: Sequence[Run], live: Generation | None) -> Iterator[Concern]:
    if live is None:
        yield Concern("nothing", "")
    for run in _held(runs, live):
        yield Concern("held", str(run.number), "; ".join(run.held))
    if runs and runs[0].state == "failed":
        yield Concern("failed", str(runs[0].number), runs[0].error)


def _of_build(run: Run | None) -> Iterator[Concern]:
    if run is None:
        return
    short: Mapping[str, Any] = run.report.get("health", {}).get("short", {})
    for placement, found in short.items():
        if found["lists"]:
            yield Concern("short", placement, ", ".join(found["by"]), found["lists"])
    for file in run.report.get("files", ()):
        if refused := sum(file["refused"].values()):
            yield Concern("refused", file["name"], ", ".join(file["refused"]), refused)


def _of_rules(path: Path | None, today: date) -> Iterator[Concern]:
    if path is None:
        return
    try:
        rules, faults = read_rules(path)
    except DataError as error:
        yield Concern("rule_file", path.name, str(error))
        return
    for fault in faults:
        yield Concern("rule_file", path.name, str(fault))
    for rule in expiring(rules, today):
        yield Concern("rule", rule.name, f"{rule.last}")


def _held(runs: Sequence[Run], live: Generation | None) -> list[Run]:
    floor = live.id if live else 0
    return [run for run in runs if run.state == "held" and run.number > floor]
