"""Rule text: a rule file whose entries are changed one by one, with all else kept to the byte.

The edited text is read again, and an edit is refused unless it makes exactly the change that it
stands for. An edit can be taken back later, whatever happened to other entries, unless its own
entry was changed since.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

from recommender.errors import DataError
from recommender.merchandising.rule_entry import RuleFields, entry_text, rule_of
from recommender.merchandising.rule_file import parsed
from recommender.merchandising.rule_layout import RuleLayout, Span, line_end
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet

Rules = tuple[MerchandisingRule, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a rule file: the text `before` gave way to `after`, for the entry of a rule.

    Line ends that separate entries are part of both. `behind` is the entry before it ("" for the
    first) and `gap` the text between the two. A first entry may have replaced the text `empty`
    after `lead`, such as the `[]` of a list without rules, or brought the key `header`.
    """

    kind: Literal["added", "replaced", "withdrawn"]
    rule: str
    before: str = ""
    after: str = ""
    behind: str = ""
    gap: str = ""
    lead: str = ""
    empty: str = ""
    header: str = ""

    def plain(self) -> dict[str, str]:
        """The edit as JSON knows it."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Edit":
        """Undo `plain`."""
        return cls(**plain)


Edited = tuple["RuleText", Edit]


@dataclass(frozen=True)
class RuleText:
    """The text of a rule file, and the rules that it has."""

    text: str
    rules: RuleSet

    @classmethod
    def of(cls, text: str) -> "RuleText":
        """Read a text. Raises: DataError if something is wrong in it."""
        rules, faults = parsed(text)
        if faults:
            raise DataError(f"{faults[0]}; see recommender rules check")
        return cls(text, rules)

    @cached_property
    def layout(self) -> RuleLayout:
        """Where the entries stand."""
        return RuleLayout(self.text, [rule.name for rule in self.rules.rules])

    def put(self, fields: RuleFields) -> Edited:
        """Replace the entry of the same name or, if there is none, add one at the end.

        Raises: DataError.
        """
        rule, layout = rule_of(fields), self.layout
        text = entry_text(fields, column=layout.column, newline=layout.newline)
        if rule.name not in layout.spans:
            return self._added(text, rule)
        span = layout.spans[rule.name]
        return self._replaced(
            Edit("replaced", rule.name, self.text[span.start : span.end], text), rule
        )

    def withdraw(self, name: str) -> Edited:
        """Take out the entry of a rule, with the empty line before it. Raises: DataError."""
        self._span(name)
        return self._withdrawn(Edit("withdrawn", name), self.layout.break_before(name))

    def taken_back(self, edit: Edit) -> Edited:
        """Undo an edit. Raises: DataError if its entry was changed since."""
        if edit.kind == "withdrawn":
            if edit.rule in self.layout.spans:
                raise DataError(
                    f"rule {edit.rule!r:.60} is in the file again; rename or remove it first"
                )
            return self._restored(edit)
        span = self._span(edit.rule)
        if self.text[span.start : span.end] != edit.after.lstrip("\r\n"):
            raise DataError(
                f"rule {edit.rule!r:.60} was edited by hand since; change or remove it in the file"
            )
        if edit.kind == "replaced":
            back = replace(edit, before=edit.after, after=edit.before)
            return self._replaced(back, _rule_of(edit.before))
        if not self.text.endswith(edit.after, 0, span.end):
            return self.withdraw(edit.rule)
        return self._withdrawn(replace(edit, kind="withdrawn"), span.end - len(edit.after))

    def _added(self, entry: str, rule: MerchandisingRule) -> Edited:
        """Add an entry behind the last one."""
        layout, text = self.layout, self.text
        rules = (*self.rules.rules, rule)
        if layout.spans:
            *_, last = layout.spans.values()
            edit = Edit("added", rule.name, after=f"{layout.separator}{entry}")
            return self._verified(_spliced(text, last.end, "", edit.after), edit, rules)
        edit = Edit("added", rule.name, after=f"{layout.newline}{entry}")
        if layout.key is None:
            edit = replace(edit, header=f"{layout.newline}rules:")
            text = _spliced(text, layout.end, "", f"{edit.header}{edit.after}")
            return self._verified(text, edit, rules)
        start, end = layout.value.start_mark.index, layout.value.end_mark.index
        edit = replace(edit, lead=text[layout.origin : start], empty=text[start:end])
        text = _spliced(text, start, edit.empty, "")
        return self._verified(_spliced(text, line_end(text, start), "", edit.after), edit, rules)

    def _withdrawn(self, edit: Edit, start: int) -> Edited:
        """Take out an entry from `start` on; without any, the list is as it was before `edit`."""
        layout, name = self.layout, edit.rule
        names = list(layout.spans)
        place = names.index(name)
        behind = names[place - 1] if place else ""
        origin = layout.spans[behind].end if place else layout.origin
        before, gap = self.text[start : layout.spans[name].end], self.text[origin:start]
        text = _spliced(self.text, start, before, "")
        if len(names) == 1:
            if edit.empty and text.startswith(edit.lead, origin):
                text = _spliced(text, origin + len(edit.lead), "", edit.empty)
            if edit.header and text.endswith(edit.header, 0, start):
                text = _spliced(text, start - len(edit.header), edit.header, "")
        edit = replace(edit, before=before, after="", behind=behind, gap=gap)
        rules = tuple(rule for rule in self.rules.rules if rule.name != name)
        return self._verified(text, edit, rules)

    def _restored(self, edit: Edit) -> Edited:
        """Put an entry back where it stood, or at the end if that place is gone."""
        rule, layout, rules = _rule_of(edit.before), self.layout, self.rules.rules
        names = list(layout.spans)
        first, gone = edit.empty or edit.header, edit.behind and edit.behind not in names
        origin = layout.spans[edit.behind].end if edit.behind in names else layout.origin
        if first or gone or not self.text.startswith(edit.gap, origin):
            return self._added(edit.before.lstrip("\r\n"), rule)
        place = names.index(edit.behind) + 1 if edit.behind else 0
        text = _spliced(self.text, origin + len(edit.gap), "", edit.before)
        made = Edit("added", edit.rule, after=edit.before)
        return self._verified(text, made, (*rules[:place], rule, *rules[place:]))

    def _replaced(self, edit: Edit, rule: MerchandisingRule) -> Edited:
        rules = tuple(rule if one.name == rule.name else one for one in self.rules.rules)
        text = _spliced(self.text, self._span(rule.name).start, edit.before, edit.after)
        return self._verified(text, edit, rules)

    def _verified(self, text: str, edit: Edit, rules: Rules) -> Edited:
        """The edited text, if it has exactly these rules and all else is as it was."""
        found, faults = parsed(text)
        if faults or found != replace(self.rules, rules=rules):
            raise DataError(
                f"rule {edit.rule!r:.60} cannot be {edit.kind} without a change of other parts of "
                "the file; edit the file by hand"
            )
        return RuleText(text, found), edit

    def _span(self, name: str) -> Span:
        if name not in self.layout.spans:
            raise DataError(f"there is no rule {name!r:.60} in the file; it was removed or renamed")
        return self.layout.spans[name]


def _rule_of(entry: str) -> MerchandisingRule:
    """The rule of the text of an entry."""
    rules, _ = parsed(f"rules:\n{entry}")
    return rules.rules[0]


def _spliced(text: str, at: int, before: str, after: str) -> str:
    return f"{text[:at]}{after}{text[at + len(before) :]}"
