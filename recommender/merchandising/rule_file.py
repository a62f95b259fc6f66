"""Rule files: YAML in, a rule set out, with the line of everything that is wrong.

Every scalar is read as text: `007` stays `007`, and a brand `No` is not `false`. Aliases and tags
are refused.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml

from recommender.errors import DataError
from recommender.merchandising.bundle_rules import bundle_rules
from recommender.merchandising.rule_set import (
    ACTIONS,
    Action,
    Fault,
    MerchandisingRule,
    Pair,
    RuleSet,
    Selection,
    category,
    day,
    factor,
    id_of_item,
    position,
    rule_name,
    time_zone,
)
from recommender.merchandising.yaml_nodes import (
    Wrong,
    is_empty,
    line_of,
    mapping_of,
    required,
    text_of,
    value_of,
    values_of,
)

MAX_BYTES = 32 * 1024 * 1024
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILE_KEYS = ("rules", "time_zone", "bundles")
_PARTS = {"item": "items", "brand": "brands", "category": "categories"}
_NEEDS = {"pin": "position", "boost": "by", "bury": "by", "replace": "with"}
_PLAIN_KEYS = ("name", "lists_of", "placement", "from", "until", "note", "position", "by", "with")
_DAYS = ("from", "until")
_RULE_KEYS = (*ACTIONS, *_PLAIN_KEYS)


def read_rules(path: Path) -> tuple[RuleSet, tuple[Fault, ...]]:
    """The well-formed rules of a file, and the faults of the others.

    Raises: DataError where the file cannot be read at all.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise DataError(f"{path}: {len(raw):,} bytes; a rule file has at most {MAX_BYTES:,}")
    try:
        return parsed(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8, byte {error.start}") from error


def required_rules(path: Path) -> RuleSet:
    """The rules of a file. Raises: DataError naming the first fault and how many there are."""
    rules, faults = read_rules(path)
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DataError(f"{path} {faults[0]}{more}; see recommender rules check")
    return rules


def parsed(text: str) -> tuple[RuleSet, tuple[Fault, ...]]:
    """The well-formed rules of a text, and the faults of the others."""
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                mark = cast("Any", event).start_mark
                return RuleSet(), (Fault(mark.line + 1, "", "aliases (& and *) are not read"),)
        root = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        return RuleSet(), (_syntax_fault(error),)
    if root is None:
        return RuleSet(), (Fault(1, "", "the file is empty; write `rules:` and a list of rules"),)
    try:
        return _rule_set(root)
    except Wrong as wrong:
        return RuleSet(), (Fault(wrong.line, "", str(wrong)),)


def _syntax_fault(error: yaml.YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line = 1 if mark is None else mark.line + 1
    return Fault(line, "", f"no YAML: {' '.join(str(problem).split())}")


def _rule_set(root: yaml.Node) -> tuple[RuleSet, tuple[Fault, ...]]:
    fields = mapping_of(root, _FILE_KEYS, "a rule file")
    bundles = bundle_rules(fields["bundles"]) if "bundles" in fields else None
    if "rules" not in fields and bundles is None:
        raise Wrong(root, "there is no `rules:`; write it and a list of rules below it")
    zone = value_of(fields["time_zone"], time_zone) if "time_zone" in fields else "UTC"
    if "rules" not in fields or is_empty(fields["rules"]):
        return RuleSet((), zone, bundles), ()
    if not isinstance(fields["rules"], yaml.SequenceNode):
        raise Wrong(fields["rules"], "rules is no list; begin each rule with `- name:`")
    rules: list[MerchandisingRule] = []
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for node in fields["rules"].value:
        try:
            rule = _rule(node, seen)
            seen[rule.name] = rule.line
            rules.append(rule)
        except Wrong as wrong:
            faults.append(Fault(wrong.line, _name_of(node), str(wrong)))
    return RuleSet(tuple(rules), zone, bundles), tuple(faults)


def _rule(node: yaml.Node, seen: Mapping[str, int]) -> MerchandisingRule:
    fields = mapping_of(node, _RULE_KEYS, "a rule")
    name = value_of(required(node, fields, "name"), partial(rule_name, seen))
    action = _action(node, fields)
    what, pairs = _moved(fields[action], action)
    lists_of = _listed(fields["lists_of"]) if "lists_of" in fields else Selection()
    if pairs and not lists_of.everything:
        raise Wrong(fields["lists_of"], "a pair says whose list it is; leave lists_of out")
    first, last = (
        value_of(fields[key], partial(day, key)) if key in fields else None for key in _DAYS
    )
    if first and last and last < first:
        raise Wrong(fields["until"], f"until {last} lies before from {first}")
    if "note" in fields:
        text_of(fields["note"])
    return MerchandisingRule(
        name=name,
        action=action,
        what=what,
        pairs=pairs,
        lists_of=lists_of,
        placements=values_of(fields["placement"], str) if "placement" in fields else (),
        first=first,
        last=last,
        position=value_of(fields["position"], position) if "position" in fields else 0,
        by=value_of(fields["by"], factor) if "by" in fields else 1.0,
        substitute=_substitute(fields["with"], what, pairs) if "with" in fields else "",
        line=line_of(node),
    )


def _action(node: yaml.Node, fields: Mapping[str, yaml.Node]) -> Action:
    actions = [name for name in ACTIONS if name in fields]
    if len(actions) != 1:
        found = " and ".join(actions) or "none"
        raise Wrong(node, f"a rule has one of {', '.join(ACTIONS)}; this has {found}")
    (action,) = actions
    for other, key in _NEEDS.items():
        if key in fields and _NEEDS.get(action) != key:
            raise Wrong(fields[key], f"{key} belongs to {other}, this rule is of {action}")
    if action in _NEEDS:
        required(node, fields, _NEEDS[action])
    return action


def _moved(node: yaml.Node, action: Action) -> tuple[Selection, tuple[Pair, ...]]:
    """What a rule moves: items, or pairs of an owner and an item."""
    if isinstance(node, yaml.MappingNode):
        fields = mapping_of(node, (*_PARTS, "pair"), action)
        if "pair" in fields:
            if len(fields) > 1:
                raise Wrong(node, "a pair stands alone; leave item, brand and category out")
            return Selection(), _pairs(fields["pair"])
    what = _selection(node)
    if action == "pin" and (len(what.items) != 1 or what.brands or what.categories):
        raise Wrong(node, "a pin moves one item; name its id, or give pairs")
    if action == "replace" and (what.brands or what.categories):
        raise Wrong(node, "replace takes items by their ids, or pairs")
    return what, ()


def _selection(node: yaml.Node) -> Selection:
    """Items by ids alone, or a table of item, brand and category."""
    if not isinstance(node, yaml.MappingNode):
        return Selection(items=values_of(node, id_of_item))
    fields = mapping_of(node, tuple(_PARTS), "a selection")
    if not fields:
        raise Wrong(node, "select something: item, brand or category")
    parsers: dict[str, Callable[[str], str]]
    parsers = {"item": id_of_item, "brand": str, "category": category}
    return Selection(**{_PARTS[key]: values_of(fields[key], parsers[key]) for key in fields})


def _listed(node: yaml.Node) -> Selection:
    if isinstance(node, yaml.MappingNode) and any(
        key.value == "pair" for key, _ in node.value if isinstance(key, yaml.ScalarNode)
    ):
        raise Wrong(node, "lists_of takes item, brand and category; pairs belong to the action")
    return _selection(node)


def _pairs(node: yaml.Node) -> tuple[Pair, ...]:
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise Wrong(node, "write a pair as [OWNER, ITEM], or a list of such pairs")
    if all(isinstance(inner, yaml.ScalarNode) for inner in node.value):
        return (_pair(node),)
    return tuple(dict.fromkeys(_pair(inner) for inner in node.value))


def _pair(node: yaml.Node) -> Pair:
    ids = values_of(node, id_of_item) if isinstance(node, yaml.SequenceNode) else ()
    if len(ids) != 2:
        raise Wrong(node, "write a pair as [OWNER, ITEM]: two different items")
    return ids[0], ids[1]


def _substitute(node: yaml.Node, what: Selection, pairs: Iterable[Pair]) -> str:
    substitute = value_of(node, id_of_item)
    if substitute in what.items or any(substitute == item for _, item in pairs):
        raise Wrong(node, f"{substitute!r} is to take its own place")
    return substitute


def _name_of(node: yaml.Node) -> str:
    """The name of a rule, as far as it can be read."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    for key, value in pairs:
        if key.value == "name" and isinstance(value, yaml.ScalarNode):
            return str(value.value)
    return ""
