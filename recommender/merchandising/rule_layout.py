"""Rule layout: where the entries of a rule file stand in its text, and how they are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import yaml

from recommender.errors import DataError
from recommender.merchandising.rule_file import LOADER
from recommender.merchandising.yaml_nodes import is_empty

BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_BREAK_BEHIND = re.compile(r"(?:\r\n|[\r\n])\Z")
_BLANK_BEHIND = re.compile(r"(?:\r\n|\n)[ \t]*(?:\r\n|\n)\Z")
_NEAR = 200


@dataclass(frozen=True, slots=True)
class Span:
    """Where an entry stands: from the start of its first line to the end of its last one.

    Comments that follow directly and are indented below the dash belong to the entry.
    """

    start: int
    end: int


@dataclass(frozen=True)
class RuleLayout:
    """The layout of the text of a rule file whose rules have these `names`, in their order.

    Raises: DataError if the rules are written in brackets or braces.
    """

    text: str
    names: Sequence[str]

    @cached_property
    def spans(self) -> dict[str, Span]:
        """The entries by the names of their rules."""
        if self.key is None or is_empty(self.value) or not self.value.value:
            return {}
        spans = (self._span(node) for node in self.value.value)
        return dict(zip(self.names, spans, strict=True))

    @cached_property
    def key(self) -> yaml.Node | None:
        """The key `rules`, None if the file has none."""
        return next((key for key, _ in self._root.value if key.value == "rules"), None)

    @cached_property
    def value(self) -> yaml.Node:
        """The value of the key `rules`."""
        value = next(value for key, value in self._root.value if key is self.key)
        if isinstance(value, yaml.SequenceNode) and value.flow_style and value.value:
            raise DataError(
                "the rules are written in brackets; give each a line that begins with `- name:`"
            )
        return cast("yaml.Node", value)

    @property
    def origin(self) -> int:
        """The end of the key `rules`, 0 if there is none."""
        return 0 if self.key is None else int(self.key.end_mark.index)

    @property
    def end(self) -> int:
        """The end of the last line that has content."""
        return line_end(self.text, _content_end(self._root, self.text))

    @cached_property
    def column(self) -> int:
        """The column of the dashes, from 0."""
        if self.spans:
            return int(self.value.start_mark.column)
        return 2 + (0 if self.key is None else int(self.key.start_mark.column))

    @cached_property
    def newline(self) -> str:
        """What ends a line."""
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def separator(self) -> str:
        """What separates the last two entries; one of several lines is followed by an empty one."""
        *rest, last = self.spans.values()
        if rest:
            between = self.text[rest[-1].end : last.start].splitlines()[1:]
            spaced = any(not line.strip() for line in between)
        else:
            spaced = "\n" in self.text[last.start : last.end]
        return self.newline * (1 + spaced)

    def break_before(self, name: str) -> int:
        """The start of the line end, and of one empty line, before an entry."""
        start = self.spans[name].start
        before = self.text[max(0, start - _NEAR) : start]
        found = _BLANK_BEHIND.search(before) or _BREAK_BEHIND.search(before)
        return start - (len(found[0]) if found else 0)

    @cached_property
    def _root(self) -> yaml.MappingNode:
        root = cast("yaml.MappingNode", yaml.compose(self.text, Loader=LOADER))
        if root.flow_style:
            raise DataError("the file is written in braces; write `rules:` on a line of its own")
        return root

    def _span(self, node: yaml.Node) -> Span:
        column = self.value.start_mark.column
        start = _dash_line(self.text, node.start_mark.index, column)
        end = line_end(self.text, _content_end(node, self.text))
        return Span(start, _with_comments(self.text, end, column))


def line_end(text: str, at: int) -> int:
    """The end of a line, without its break."""
    found = BREAK.search(text, at)
    return found.start() if found else len(text)


def _dash_line(text: str, at: int, column: int) -> int:
    """The start of the line of the dash before a node."""
    while at >= 0:
        start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
        if text.startswith(" " * column + "-", start):
            return start
        at = start - 1
    raise DataError("a rule does not begin with `- ` on a line of its own; edit the file by hand")


def _with_comments(text: str, end: int, column: int) -> int:
    """The end of the comments that follow a line directly, indented below a column."""
    while found := BREAK.match(text, end):
        line = text[found.end() : line_end(text, found.end())]
        bare = line.lstrip(" \t")
        if not bare.startswith("#") or len(line) - len(bare) <= column:
            break
        end = found.end() + len(line)
    return end


def _content_end(node: yaml.Node, text: str) -> int:
    """Where the last value of a node ends."""
    end = int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        return len(text[:end].rstrip()) if node.style in {"|", ">"} else end
    collection = cast("yaml.CollectionNode", node)
    if collection.flow_style or not collection.value:
        return end
    last = collection.value[-1]
    return _content_end(last[1] if isinstance(last, tuple) else last, text)
