"""Rule log: the lines of the audit log that say who changed the rules, why, and how to undo it."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.artifacts.audit_log import AuditLog

APPLY, UNDO = "rules.apply", "rules.undo"


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
