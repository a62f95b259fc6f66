"""Draft changes: what an action on a product card, or on a command line, means for a draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from recommender.errors import ConfigError, DataError
from recommender.merchandising.drafts import Change, Draft, Kind
from recommender.merchandising.rule_entry import Value
from recommender.merchandising.rule_set import ACTIONS, RuleSet, Selection

NAMED: tuple[Literal["withdraw", "hide", "unhide"], ...] = ("withdraw", "hide", "unhide")
VERBS = (*ACTIONS, *NAMED)
EVERYTHING = Selection()
DEFAULT_FACTOR = "2"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants: an action, what it moves, in whose lists, and further fields of a rule.

    `names` are items or, to withdraw, rules. `fields` are position, by, with, placement, from and
    until, as a rule file has them; empty ones count as absent. `name` is that of the rule, "" for
    one of its own.
    """

    action: str
    names: Sequence[str] = ()
    what: Selection = EVERYTHING
    lists_of: Selection = EVERYTHING
    fields: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    name: str = ""

    def into(self, draft: Draft, rules: RuleSet, author: str, reason: str) -> Draft:
        """The draft with it. Several pinned items take positions one after another.

        Raises: ConfigError for an unknown action or nothing to move; DataError for a malformed
        value.
        """
        if self.action not in VERBS:
            raise ConfigError(f"action {self.action!r:.40}: there are {', '.join(VERBS)}")
        for kind in NAMED:
            if kind == self.action:
                return self._named(kind, draft, rules, author, reason)
        there = {rule.name for rule in rules.rules}
        for number, moved in enumerate(self._moved()):
            fields = self._fields(moved, number)
            name = self.name if self.name and not number else draft.free_name(fields, rules)
            draft = draft.added(Change("rule", name, fields, author, reason, name in there))
        return draft

    def _named(self, kind: Kind, draft: Draft, rules: RuleSet, author: str, reason: str) -> Draft:
        if not self.names:
            what = "a rule" if kind == "withdraw" else "an item"
            raise ConfigError(f"nothing to {kind}: name {what}")
        there = {rule.name for rule in rules.rules}
        for name in self.names:
            if kind == "withdraw" and name not in there:
                raise DataError(f"there is no rule {name!r:.60} in the file to withdraw")
            draft = draft.added(Change(kind, name, {}, author, reason))
        return draft

    def _moved(self) -> Sequence[Value]:
        """What the action moves: for a pin or a replacement one item each, else a selection."""
        if self.action in {"pin", "replace"}:
            if not self.names:
                raise ConfigError(f"{self.action} takes items; name one")
            return self.names
        what = Selection(tuple(self.names), self.what.brands, self.what.categories)
        if what.everything:
            raise ConfigError(f"nothing to {self.action}: name an item, a brand or a category")
        return (_selected(what),)

    def _fields(self, moved: Value, number: int) -> dict[str, Value]:
        fields: dict[str, Value] = {self.action: moved}
        given = {key: value for key, value in self.fields.items() if value}
        if self.action == "pin":
            given["position"] = _later(str(given.get("position", "1")), number)
        if self.action in {"boost", "bury"}:
            given.setdefault("by", DEFAULT_FACTOR)
        if not self.lists_of.everything:
            fields["lists_of"] = _selected(self.lists_of)
        return {**fields, **given}


def _later(position: str, number: int) -> str:
    return str(int(position) + number) if position.isdecimal() else position


def _selected(selection: Selection) -> Value:
    """A selection as a rule file has it, in the shortest form."""
    parts = {"item": selection.items, "brand": selection.brands, "category": selection.categories}
    given: dict[str, Value] = {
        key: names[0] if len(names) == 1 else list(names) for key, names in parts.items() if names
    }
    return given["item"] if given.keys() == {"item"} else given
