"""The fields of several items as columns, each made when an expression first reads it."""

from collections.abc import Mapping, Sequence
from typing import Any

Fields = Mapping[str, Any]
"""Values by name: text, number, truth value, list of texts, or None."""


class FieldColumns:
    """Fields of items, by item and by name."""

    __slots__ = ("_columns", "fields")

    def __init__(self, fields: Sequence[Fields]) -> None:
        self.fields = fields
        self._columns: dict[str, Sequence[Any]] = {}

    def __len__(self) -> int:
        return len(self.fields)

    def column(self, name: str) -> Sequence[Any]:
        """The values of one field, None where an item lacks it."""
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = [one.get(name) for one in self.fields]
        return found
