"""Nodes of YAML as texts, each with the line of what is wrong.

Every scalar is read as text: `007` stays `007`, and a brand `No` is not `false`.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import yaml

Value = TypeVar("Value")


class Wrong(Exception):
    """Something that is wrong at a node."""

    def __init__(self, node: yaml.Node, message: str) -> None:
        super().__init__(message)
        self.line = line_of(node)


def values_of(node: yaml.Node, parse: Callable[[str], str]) -> tuple[str, ...]:
    """One value or a list of values, each once."""
    if not isinstance(node, yaml.SequenceNode):
        return (value_of(node, parse),)
    if not node.value:
        raise Wrong(node, "the list is empty")
    return tuple(dict.fromkeys(value_of(one, parse) for one in node.value))


def text_of(node: yaml.Node) -> str:
    """A scalar as it is written. Raises: Wrong where it is empty, or none."""
    if not isinstance(node, yaml.ScalarNode):
        raise Wrong(node, "one value is expected here, not a list or a table")
    if is_empty(node):
        raise Wrong(node, "there is no value")
    return str(node.value)


def value_of(node: yaml.Node, parse: Callable[[str], Value]) -> Value:
    """What a scalar says. Raises: Wrong where it says nothing of the kind."""
    try:
        return parse(text_of(node))
    except ValueError as error:
        raise Wrong(node, str(error)) from error


def mapping_of(node: yaml.Node, allowed: Iterable[str], what: str) -> dict[str, yaml.Node]:
    """The fields of a table. Raises: Wrong for a key that is unknown or given twice."""
    if not isinstance(node, yaml.MappingNode):
        raise Wrong(node, f"{what} is a table of `key: value` lines")
    fields: dict[str, yaml.Node] = {}
    names = tuple(allowed)
    for key, value in node.value:
        name = text_of(key)
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"{what} has {', '.join(names)}"
            raise Wrong(key, f"unknown key {name!r:.40}; {hint}")
        if name in fields:
            raise Wrong(key, f"{name} stands twice")
        fields[name] = value
    return fields


def required(node: yaml.Node, fields: Mapping[str, yaml.Node], key: str) -> yaml.Node:
    """The value of a key. Raises: Wrong where there is none."""
    if key not in fields:
        raise Wrong(node, f"there is no {key}")
    return fields[key]


def is_empty(node: yaml.Node) -> bool:
    """Whether a node says nothing."""
    return isinstance(node, yaml.ScalarNode) and (
        not str(node.value).strip() or node.tag.endswith(":null")
    )


def line_of(node: yaml.Node) -> int:
    """The line of a node, from 1."""
    return int(node.start_mark.line) + 1
