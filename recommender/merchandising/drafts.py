"""Drafts: changes of the rules that an author collects, before they are applied together.

A draft is a JSON file beside the rule file, one for each author. It remembers the rule file from
which it was begun, so that nobody applies it over changes that its author has not seen.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from recommender.core import item_id
from recommender.errors import DataError
from recommender.merchandising.rule_entry import RuleFields, rule_of
from recommender.merchandising.rule_set import ACTIONS, MerchandisingRule, RuleSet
from recommender.merchandising.rule_source import RuleSource, locked, write_whole
from recommender.merchandising.rule_text import Edit, RuleText

Kind = Literal["rule", "withdraw", "hide", "unhide"]
MAX_CHANGES, MAX_REASON, MAX_AUTHOR = 200, 500, 100
MAX_BYTES = 1024 * 1024
_SLUG = re.compile(r"[^\w.]+")
_SLUG_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Change:
    """One change: a rule that is added or replaced, one that is withdrawn, or an item to hide.

    `name` is that of the rule, or the id of the item; `fields` are those of a rule to be, which
    `replaces` one of the file or may not. Raises: DataError for a malformed rule, id, reason or
    author.
    """

    kind: Kind
    name: str
    fields: RuleFields = field(default_factory=dict)
    author: str = ""
    reason: str = ""
    replaces: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise DataError(f"change {self.kind!r:.40}: there are {', '.join(get_args(Kind))}")
        check_author(self.author)
        check_reason(self.reason)
        if self.kind == "rule":
            rule_of(self.entry())
        elif self.kind != "withdraw" and (fault := item_id.fault(self.name)):
            raise DataError(f"item id {self.name!r:.60}: {fault}")

    def entry(self, reason: str = "") -> RuleFields:
        """The fields of the rule, with a note that says who wants it and why."""
        why = self.reason or reason
        note = f"{why} ({self.author})" if why else f"by {self.author}"
        return {"name": self.name, "note": note, **self.fields}

    @property
    def rule(self) -> MerchandisingRule | None:
        """The rule that is added or replaced, None for other kinds."""
        return rule_of(self.entry()) if self.kind == "rule" else None

    def __str__(self) -> str:
        rule = self.rule
        if rule is None:
            what = "rule " if self.kind == "withdraw" else ""
            return f"{self.kind} {what}{self.name}"
        where = "" if rule.in_every_list or rule.pairs else f" in lists of {rule.lists_of}"
        placements = f", {', '.join(rule.placements)}" if rule.placements else ""
        first = f", from {rule.first}" if rule.first else ""
        return f"{rule}{where}{placements}{first}" + (f", until {rule.last}" if rule.last else "")


@dataclass(frozen=True, slots=True)
class Draft:
    """The changes of an author, in their order, to the rule file whose digest is `base`."""

    author: str
    base: str
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if len(self.changes) > MAX_CHANGES:
            raise DataError(
                f"a draft has at most {MAX_CHANGES} changes; apply or discard it, then go on"
            )

    def added(self, change: Change) -> "Draft":
        """The draft with a further change; an earlier one of the same rule or item gives way."""
        about = change.kind in {"rule", "withdraw"}, change.name
        kept = [
            one for one in self.changes if (one.kind in {"rule", "withdraw"}, one.name) != about
        ]
        return replace(self, changes=(*kept, change))

    def without(self, number: int) -> "Draft":
        """The draft without one change, by its number from 1. Raises: DataError."""
        if not 1 <= number <= len(self.changes):
            raise DataError(f"there is no change {number}; the draft has {len(self.changes)}")
        kept = self.changes[: number - 1] + self.changes[number:]
        return replace(self, changes=kept)

    def edited(self, document: RuleText, reason: str = "") -> tuple[RuleText, tuple[Edit, ...]]:
        """A rule file after the changes, and its edits. Raises: DataError."""
        edits = []
        for change in self.changes:
            if change.kind == "rule":
                taken = any(rule.name == change.name for rule in document.rules.rules)
                if taken and not change.replaces:
                    raise DataError(
                        f"somebody else added a rule {change.name!r:.60}; remove your change from "
                        "the draft and add it again"
                    )
                document, edit = document.put(change.entry(reason))
            elif change.kind == "withdraw":
                document, edit = document.withdraw(change.name)
            else:
                continue
            edits.append(edit)
        return document, tuple(edits)

    def items(self, kind: Kind) -> list[str]:
        """The items of the changes of a kind, `hide` or `unhide`."""
        return [change.name for change in self.changes if change.kind == kind]

    def free_name(self, fields: RuleFields, rules: RuleSet) -> str:
        """A name for a rule that neither the rules nor the draft have."""
        action = next((action for action in ACTIONS if action in fields), "rule")
        value = fields.get(action, "")
        while not isinstance(value, str):
            value = next(iter(value.values() if isinstance(value, Mapping) else value), "")
        name = f"{action}-{_SLUG.sub('-', value).strip('-')[:_SLUG_LENGTH].lower()}"
        taken = {rule.name for rule in rules.rules} | {change.name for change in self.changes}
        numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
        return next(one for one in (name, *numbered) if one not in taken)

    @property
    def digest(self) -> str:
        """The SHA-256 of the draft, hexadecimal."""
        return hashlib.sha256(json.dumps(self.plain(), sort_keys=True).encode()).hexdigest()

    def plain(self) -> dict[str, Any]:
        """The draft as JSON knows it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Draft":
        """Undo `plain`. Raises: DataError, KeyError or TypeError."""
        changes = tuple(Change(**one) for one in plain["changes"])
        return cls(str(plain["author"]), str(plain["base"]), changes)


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts for a rule file, in a folder beside it. Raises: DataError."""

    rules: Path

    @property
    def folder(self) -> Path:
        """The folder of the drafts."""
        return self.rules.with_name(f"{self.rules.name}.drafts")

    @property
    def lock(self) -> Path:
        """The lock of the rule file and its drafts."""
        return self.folder / "lock"

    def of(self, author: str) -> Draft:
        """The draft of an author; an empty one, over the rule file as it is, if there is none."""
        path = self._path(author)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return Draft(author, RuleSource.read(self.rules).digest)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from error
        if len(raw) > MAX_BYTES:
            raise DataError(f"{path}: {len(raw):,} bytes; a draft has at most {MAX_BYTES:,}")
        try:
            return Draft.from_plain(json.loads(raw))
        except (DataError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path} is no draft ({error}); recommender rules draft discard removes it"
            ) from error

    def save(self, draft: Draft) -> None:
        """Write the draft of its author."""
        raw = json.dumps(draft.plain(), ensure_ascii=False, indent=1).encode()
        if len(raw) > MAX_BYTES:
            raise DataError(f"a draft has at most {MAX_BYTES:,} bytes; apply it, then go on")
        path = self._path(draft.author)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, raw)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}") from error

    def rebase(self, author: str) -> Draft:
        """The draft of an author over the rule file as it is now, written."""
        with locked(self.lock):
            source = RuleSource.read(self.rules)
            draft = replace(self.of(author), base=source.digest)
            draft.edited(source.document)
            self.save(draft)
        return draft

    def discard(self, author: str) -> bool:
        """Remove the draft of an author; whether there was one."""
        path = self._path(author)
        there = path.exists()
        path.unlink(missing_ok=True)
        return there

    def _path(self, author: str) -> Path:
        check_author(author)
        return self.folder / f"{quote(author, safe='@+')}.json"


def check_author(author: str) -> None:
    """See that a name can be that of an author. Raises: DataError."""
    if not author.strip() or len(author) > MAX_AUTHOR or not author.isprintable():
        raise DataError(f"author {author!r:.60}: use 1 to {MAX_AUTHOR} letters, in one line")


def check_reason(reason: str) -> None:
    """See that a text can be a reason. Raises: DataError."""
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise DataError(f"reason {reason!r:.60}: use at most {MAX_REASON} letters, in one line")


def require_fresh(draft: Draft, source: RuleSource) -> None:
    """See that the rule file is the one from which a draft was begun. Raises: DataError."""
    if draft.base != source.digest:
        raise DataError(
            f"{source.path.name} changed since the draft of {draft.author} was begun; look at its "
            "preview, then recommender rules draft rebase puts it on the rules of today"
        )
