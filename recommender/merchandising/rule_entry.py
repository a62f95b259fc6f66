"""Rule entries: one rule as a person writes it in a rule file, from its fields.

Fields have the keys of a rule file; their values are texts, lists of texts, or tables of both.
"""

import re
from collections.abc import Mapping, Sequence

from recommender.errors import DataError
from recommender.merchandising.rule_file import parsed
from recommender.merchandising.rule_set import ACTIONS, MerchandisingRule

Value = str | Sequence[str] | Mapping[str, "Value"]
RuleFields = Mapping[str, Value]

ORDER = (
    "name",
    "note",
    *ACTIONS,
    "position",
    "by",
    "with",
    "lists_of",
    "placement",
    "from",
    "until",
)
_BARE = {"position", "by", "from", "until"}
"""Keys whose values are numbers and days, which need no quotes."""
_WORDS = re.compile(r"[^\W\d_][\w./&+-]*(?: [\w.>/&+-]+)*")
_KEY = re.compile(r"[a-z_]+")
_NUMBER = re.compile(r"[\d.-]+")
_NOT_TEXT = {"yes", "no", "true", "false", "on", "off", "null", "y", "n"}
"""Words that readers of YAML take for something else than text."""


def rule_of(fields: RuleFields) -> MerchandisingRule:
    """The rule that fields make. Raises: DataError saying what is wrong."""
    rules, faults = parsed(f"rules:\n{entry_text(fields, column=0)}")
    if faults:
        name = fields.get("name")
        raise DataError(f"rule {str(name)!r:.60}: {faults[0].message}")
    (rule,) = rules.rules
    return rule


def entry_text(fields: RuleFields, *, column: int, newline: str = "\n") -> str:
    """The lines of an entry, without the end of the last one.

    Its dash is in a `column` from 0.
    """
    lines = [_line(key, fields[key]) for key in sorted(fields, key=_place)]
    first = " " * column + "- "
    other = " " * (column + 2)
    return newline.join(
        f"{first if not number else other}{line}" for number, line in enumerate(lines)
    )


def _place(key: str) -> int:
    return ORDER.index(key) if key in ORDER else len(ORDER)


def _line(key: str, value: Value) -> str:
    if not _KEY.fullmatch(key):
        raise DataError(f"unknown key {key!r:.40}")
    return f"{key}: {_value(key, value)}"


def _value(key: str, value: Value) -> str:
    if isinstance(value, str):
        bare = key in _BARE and _NUMBER.fullmatch(value)
        return value if bare else _text(value)
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_line(name, part) for name, part in value.items())} }}"
    return f"[{', '.join(map(_text, value))}]"


def _text(value: str) -> str:
    """A text, in quotes unless every reader of YAML takes it for that text."""
    if _WORDS.fullmatch(value) and value.isascii() and value.lower() not in _NOT_TEXT:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
