"""Rule log: the lines of the audit log that say who changed the rules, why, and how to undo it."""

import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from recommender.artifacts.audit_log import AuditLog

APPLY, UNDO = "rules.apply", "rules.undo"
BEGUN, DONE, FAILED = "begun", "done", "failed"
State = Literal["applied", "undone", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line: an action and its `state`; lines of one `id` are stages of one action.

    `before` and `after` are digests of the rule file; `at` is the time of the line.
    """

    who: str
    what: str
    state: str
    reason: str = ""
    before: str = ""
    after: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    at: str = ""


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A change of the rules in the past: by whom, why, what, and what became of it.

    `undoes` is the id of the change that it took back, "" for none. `commit` is the commit of the
    rule file, `overlay` the generation that went live.
    """

    id: str
    at: str
    who: str
    reason: str
    changes: tuple[str, ...]
    state: State
    undoes: str = ""
    commit: str = ""
    overlay: int = 0


@dataclass(frozen=True, slots=True)
class RuleLog:
    """The changes of rules in an audit log. Raises: ArtifactError."""

    log: AuditLog

    def append(self, line: RuleLine, failed: str = "") -> None:
        """Add a line; it is on disk when this returns."""
        about = {"id": line.id, "state": line.state, "reason": line.reason, **line.details}
        self.log.append(
            line.who,
            line.what,
            about=about,
            before={"rules": line.before},
            after={"rules": line.after},
            failed=failed,
        )

    def lines(self) -> Iterator[RuleLine]:
        """The lines, oldest first."""
        for entry in self.log.entries():
            if entry["what"] in {APPLY, UNDO}:
                details = dict(entry["about"])
                own = {key: details.pop(key) for key in ("id", "state", "reason")}
                before, after = entry["before"]["rules"], entry["after"]["rules"]
                yield RuleLine(
                    entry["who"],
                    entry["what"],
                    before=before,
                    after=after,
                    details=details,
                    at=entry["at"],
                    **own,
                )

    def latest(self) -> dict[str, RuleLine]:
        """The last line of each change by its id, in the order in which they began."""
        found: dict[str, RuleLine] = {}
        for line in self.lines():
            found[line.id] = line
        return found

    def history(self) -> list[RuleChange]:
        """All changes, the newest first."""
        latest = self.latest()
        undone = _undone(latest.values())
        return [
            RuleChange(
                one.id,
                one.at,
                one.who,
                one.reason,
                tuple(one.details["changes"]),
                _state(one, undone),
                one.details.get("undoes", ""),
                one.details.get("commit", ""),
                one.details.get("overlay", 0),
            )
            for one in reversed(latest.values())
        ]

    def state(self, line: RuleLine) -> State:
        """What became of a change."""
        return _state(line, _undone(self.latest().values()))


def _undone(latest: Collection[RuleLine]) -> set[str]:
    """The ids of changes that others, which are not undone, took back."""
    undone: set[str] = set()
    for one in reversed([*latest]):
        if one.state == DONE and one.id not in undone and "undoes" in one.details:
            undone.add(one.details["undoes"])
    return undone


def _state(line: RuleLine, undone: Collection[str]) -> State:
    if line.id in undone:
        return "undone"
    states: dict[str, State] = {DONE: "applied", FAILED: "failed", BEGUN: "interrupted"}
    return states[line.state]
