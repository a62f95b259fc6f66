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
from typing import Any

from recommender.core.generation import Generation
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.live.live_state import LiveState
from recommender.live.rule_log import (
    APPLY,
    BEGUN,
    DONE,
    FAILED,
    UNDO,
    RuleChange,
    RuleLine,
    RuleLog,
)
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
            resumed = self._resumed(APPLY, source, draft=draft.digest)
            plan = resumed or self._planned(draft, source, reason)
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
            found, source = self._undoable(change), RuleSource.read(self.rules)
            plan = self._resumed(UNDO, source, undoes=change) or self._reversed(found, source)
            return self._carry_out(plan, author, reason, live, publisher)

    def history(self) -> list[RuleChange]:
        """All changes, the newest first."""
        return self.log.history()

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

    def _reversed(self, line: RuleLine, source: RuleSource) -> _Plan:
        document, edits = source.document, list[Edit]()
        for plain in reversed(line.details["edits"]):
            document, edit = document.taken_back(Edit.from_plain(plain))
            edits.append(edit)
        return _Plan(
            UNDO,
            line.details["changes"],
            source,
            source.with_document(document),
            edits,
            line.details["unhid"],
            line.details["hid"],
            {"undoes": line.id},
        )

    def _resumed(self, what: str, source: RuleSource, **about: str) -> _Plan | None:
        """The rest of a change that wrote the rule file as it is and was then cut off."""
        for one in reversed(self.log.latest().values()):
            same = one.what == what and one.details.items() >= about.items()
            if same and one.state == BEGUN and one.before != one.after == source.digest:
                edits = [Edit.from_plain(plain) for plain in one.details["edits"]]
                old = source.document
                for edit in reversed(edits):
                    old, _ = old.taken_back(edit)
                return _Plan(
                    what,
                    one.details["changes"],
                    source.with_document(old),
                    source,
                    edits,
                    one.details["hid"],
                    one.details["unhid"],
                    dict(about),
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
        found = self.log.latest().get(change)
        if found is None:
            raise ConfigError(f"there is no change {change!r:.40}; see recommender rules history")
        state = self.log.state(found)
        if state != "applied":
            raise ConfigError(f"change {change} is {state}: there is nothing to undo")
        return found


def _stage(entry: RuleLine, state: str, **details: object) -> RuleLine:
    """A further line of the same change."""
    return replace(entry, state=state, details={**entry.details, **details})
