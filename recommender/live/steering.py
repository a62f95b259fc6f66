"""Steering: a draft of rules goes live, is recorded, and can be taken back.

The rule file is written first and is restored if publishing fails. The audit log has a line before
the file is written and one after the lists are live; where the second is missing, the process
died in between, and applying the same draft again finishes what it began.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, cast

from recommender.core.generation import Generation
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.live.live_state import LiveState
from recommender.live.rule_log import APPLY, UNDO, RuleLine, RuleLog
from recommender.live.rules import apply_rules, require_known
from recommender.merchandising.application import today_of
from recommender.merchandising.drafts import (
    Draft,
    Drafts,
    check_author,
    check_reason,
    require_fresh,
)
from recommender.merchandising.rule_commit import commit
from recommender.merchandising.rule_source import RuleSource, locked
from recommender.merchandising.rule_text import Edit
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher

BEGUN, DONE, FAILED = "begun", "done", "failed"
State = Literal["applied", "undone", "failed", "interrupted"]


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
class Applied:
    """A change that is live: its id, the generation, and counts of rules and unknown names.

    `warning` says why the rule file was not committed, "" if it was or need not be.
    """

    id: str
    generation: Generation
    n_rules: int
    n_unknown: int
    commit: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a change does: the edited file, its edits, and the items to hide and to show again.

    `resumes` is the id of the change whose rest it is, "" for a new one.
    """

    what: str
    changes: Sequence[str]
    source: RuleSource
    edited: RuleSource
    edits: Sequence[Edit]
    hide: Sequence[str] = ()
    unhide: Sequence[str] = ()
    details: dict[str, Any] = field(default_factory=dict)
    resumes: str = ""


@dataclass(frozen=True)
class Steering:
    """The rule file of a shop, its drafts and its audit log. All that it does raises DataError.

    With `commits`, every change is a commit of the rule file in its git repository.
    """

    rules: Path
    log: RuleLog
    commits: bool = False
    skip_unknown: bool = False
    today: date | None = None

    @property
    def drafts(self) -> Drafts:
        """The drafts."""
        return Drafts(self.rules)

    def apply(self, author: str, reason: str, live: LiveState, publisher: Publisher) -> Applied:
        """Apply the draft of an author, which is then gone.

        Raises: ArtifactError or StoreUnavailable with the rule file as before.
        """
        with locked(self.drafts.lock):
            draft = self.drafts.of(author)
            if not draft.changes:
                raise DataError(
                    f"{author} has no draft; begin one with recommender rules draft add"
                )
            source = RuleSource.read(self.rules)
            plan = self._resumed(draft, source) or self._planned(draft, source, reason)
            applied = self._carry_out(plan, author, reason, live, publisher)
            self.drafts.discard(author)
        return applied

    def undo(
        self, change: str, author: str, reason: str, live: LiveState, publisher: Publisher
    ) -> Applied:
        """Take back one change, whatever happened to other rules since.

        Raises: ConfigError if there is none, or if it is taken back already; DataError if a person
        changed its rules since; ArtifactError or StoreUnavailable with the rule file as before.
        """
        with locked(self.drafts.lock):
            found = self._undoable(change)
            source = RuleSource.read(self.rules)
            document, edits = source.document, list[Edit]()
            for plain in reversed(found.details["edits"]):
                document, edit = document.taken_back(Edit.from_plain(plain))
                edits.append(edit)
            plan = _Plan(
                UNDO,
                found.details["changes"],
                source,
                source.with_document(document),
                edits,
                found.details["unhid"],
                found.details["hid"],
                {"undoes": change},
            )
            return self._carry_out(plan, author, reason, live, publisher)

    def history(self) -> list[RuleChange]:
        """All changes, the newest first."""
        lines = self._lines()
        undone = self._undone(lines)
        return [
            RuleChange(
                one.id,
                one.at,
                one.who,
                one.reason,
                tuple(one.details["changes"]),
                _state(one, undone=one.id in undone),
                one.details.get("undoes", ""),
                one.details.get("commit", ""),
                one.details.get("overlay", 0),
            )
            for one in reversed(lines.values())
        ]

    def _planned(self, draft: Draft, source: RuleSource, reason: str) -> _Plan:
        require_fresh(draft, source)
        document, edits = draft.edited(source.document, reason)
        return _Plan(
            APPLY,
            [str(change) for change in draft.changes],
            source,
            source.with_document(document),
            edits,
            draft.items("hide"),
            draft.items("unhide"),
            {"draft": draft.digest},
        )

    def _resumed(self, draft: Draft, source: RuleSource) -> _Plan | None:
        """The rest of a change that wrote this draft to the file and was then cut off."""
        for one in reversed(self._lines().values()):
            same = one.after == source.digest and one.details.get("draft") == draft.digest
            if same and one.state == BEGUN and one.before != one.after:
                edits = [Edit.from_plain(plain) for plain in one.details["edits"]]
                old = source.document
                for edit in reversed(edits):
                    old, _ = old.taken_back(edit)
                return _Plan(
                    APPLY,
                    one.details["changes"],
                    source.with_document(old),
                    source,
                    edits,
                    one.details["hid"],
                    one.details["unhid"],
                    {"draft": draft.digest},
                    resumes=one.id,
                )
        return None

    def _carry_out(
        self, plan: _Plan, author: str, reason: str, live: LiveState, publisher: Publisher
    ) -> Applied:
        check_author(author)
        check_reason(reason)
        rules = plan.edited.document.rules
        valid = rules.on(today_of(rules, self.today))
        n_unknown = require_known(valid, live, skip_unknown=self.skip_unknown)
        hidden = Hidden(publisher.store, publisher.shop)
        hide, unhide = list(plan.hide), list(plan.unhide)
        if not plan.resumes:
            known = set(hidden.hidden())
            hide = [item for item in hide if item not in known]
            unhide = [item for item in unhide if item in known]
        details = {
            **plan.details,
            "changes": list(plan.changes),
            "edits": [edit.plain() for edit in plan.edits],
            "hid": hide,
            "unhid": unhide,
        }
        entry = RuleLine(
            author, plan.what, BEGUN, reason, plan.source.digest, plan.edited.digest, details
        )
        if plan.resumes:
            entry = replace(entry, id=plan.resumes)
        self.log.append(entry)
        plan.edited.write()
        try:
            hidden.hide(hide)
            hidden.unhide(unhide)
            generation = live.generation
            if plan.edits:
                generation = apply_rules(live, publisher, valid)
        except BaseException as error:
            if RuleSource.read(self.rules).raw == plan.edited.raw:
                plan.source.write()
            self.log.append(_stage(entry, FAILED), failed=str(error) or type(error).__name__)
            with suppress(StoreUnavailable):  # why this failed is raised anyway
                hidden.unhide(hide)
                hidden.hide(unhide)
            raise
        made, warning = self._committed(plan, author, reason)
        self.log.append(_stage(entry, DONE, overlay=generation.id, commit=made))
        return Applied(entry.id, generation, len(valid.rules), n_unknown, made, warning)

    def _committed(self, plan: _Plan, author: str, reason: str) -> tuple[str, str]:
        """The commit of the rule file, and why there is none."""
        if not self.commits or plan.source.raw == plan.edited.raw:
            return "", ""
        head = reason or ("Change merchandising rules" if plan.what == APPLY else "Undo a change")
        message = "\n".join([head, "", *(f"- {change}" for change in plan.changes)])
        try:
            return commit(plan.edited.path, author, message), ""
        except DataError as error:
            return "", f"the rules are live, but {plan.edited.path.name} is not committed: {error}"

    def _undoable(self, change: str) -> RuleLine:
        lines = self._lines()
        found = lines.get(change)
        if found is None:
            raise ConfigError(f"there is no change {change!r:.40}; see recommender rules history")
        state = _state(found, undone=change in self._undone(lines))
        if state != "applied":
            raise ConfigError(f"change {change} is {state}: there is nothing to undo")
        return found

    def _lines(self) -> dict[str, RuleLine]:
        """The last line of each change, in the order in which they began."""
        found: dict[str, RuleLine] = {}
        for entry in self.log.lines():
            found[entry.id] = entry
        return found

    def _undone(self, lines: dict[str, RuleLine]) -> set[str]:
        """The ids of changes that others, which are not undone, took back."""
        undone: set[str] = set()
        for one in reversed(lines.values()):
            if one.state == DONE and one.id not in undone and "undoes" in one.details:
                undone.add(cast("str", one.details["undoes"]))
        return undone


def _stage(entry: RuleLine, state: str, **details: object) -> RuleLine:
    """A further line of the same change."""
    return replace(entry, state=state, details={**entry.details, **details})


def _state(entry: RuleLine, *, undone: bool) -> State:
    if undone:
        return "undone"
    states: dict[str, State] = {DONE: "applied", FAILED: "failed", BEGUN: "interrupted"}
    return states[entry.state]
