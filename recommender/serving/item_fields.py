"""The fields of the items of answers: read in one round trip, filtered by, and shown with them."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from recommender.core import item_id as item_ids
from recommender.core.related import RelatedItem
from recommender.serving.codec import View
from recommender.serving.expressions import Condition, Value
from recommender.serving.field_columns import FieldColumns, Fields
from recommender.serving.fields_query import FieldsQuery
from recommender.serving.filter_counts import Filtered
from recommender.serving.keys import RECORDS, Keys, list_name
from recommender.serving.records import NO_RECORD, at_store, decoded, in_language
from recommender.serving.state import UNREAD, Command, Reply

MAX_AGE_S = 1.0
"""How long fields are used without being read again."""
MAX_READ = 5_000
"""Of so many items at most the fields are read for one call."""
BOOST_LEAST, BOOST_MOST = 0.5, 2.0
LOWEST = 1 / 4096


class Kept:
    """What was read of an item, from which layers and when; decoded when it is first used.

    `everywhere` says that the fields are decoded and the same in every store.
    """

    __slots__ = ("at", "everywhere", "fields", "layers", "values")

    def __init__(self, layers: tuple[int, ...], at: float, values: Reply) -> None:
        self.layers, self.at, self.everywhere = layers, at, False
        self.values: Reply | None = values
        self.fields: Fields = NO_RECORD


class FieldsReading:
    """The fields of the items of some answers, as far as they were read.

    `kept` holds what this process has read, by item; at most `bound` items. Titles are in
    `language`, where the shop has them. `filtered` says what conditions dropped.
    """

    def __init__(
        self,
        query: FieldsQuery,
        keys: Keys,
        kept: dict[str, Kept],
        bound: int,
        report: Callable[[ValueError], None],
        language: str = "",
    ) -> None:
        self.query, self.language = query, language
        self.filtered: list[Filtered] = []
        self._keys, self._kept, self._bound, self._report = keys, kept, bound, report
        self._layers: tuple[int, ...] = ()
        self._own: dict[str, Kept] = {}  # others may clear what the process keeps
        self._unread: set[str] = set()
        self._columns: FieldColumns | None = None

    def want(self, view: View | None, items: Iterable[str]) -> list[str]:
        """Those of some items that have to be read."""
        self._layers = layers = view.layers if view else ()
        oldest, kept = time.monotonic() - MAX_AGE_S, self._kept
        wanted = []
        for item in dict.fromkeys(items):
            found = kept.get(item)
            if found is None or found.at < oldest or found.layers != layers:
                wanted.append(item)
            else:
                self._own[item] = found
        wanted = [item for item in wanted[:MAX_READ] if not item_ids.fault(item)]
        self._unread.update(wanted)
        return wanted

    def command(self, wanted: Sequence[str]) -> Command:
        """The command that reads the records of items, and what changed of them."""
        prefixes = [*[self._keys.prefix(layer) for layer in self._layers], self._keys.changes]
        return (
            "MGET",
            *[
                prefix + name
                for name in [list_name(RECORDS, item) for item in wanted]
                for prefix in prefixes
            ],
        )

    def take(self, wanted: Sequence[str], reply: Reply) -> None:
        """Take the reply to `command`."""
        depth, now = len(self._layers) + 1, time.monotonic()
        if len(self._kept) + len(wanted) > self._bound:
            self._kept.clear()
        for place, item in enumerate(wanted):
            values = reply[place * depth : (place + 1) * depth]
            if not any(one is UNREAD for one in values):
                self._own[item] = self._kept[item] = Kept(self._layers, now, values)
                self._unread.discard(item)

    def recall(self, found: "ListFields") -> None:
        """Use what was read for a list a moment ago, in place of reading it."""
        self._own, self._columns = dict(found.own), found.columns

    def remembered(self, items: Sequence[str]) -> "ListFields":
        """What was read for a list, to be recalled."""
        self._columns = FieldColumns(self.of_all(items))
        return ListFields(self.read_at, dict(self._own), self._columns)

    @property
    def complete(self) -> bool:
        """Whether all that was wanted was read."""
        return not self._unread

    def has_read(self, item: str) -> bool:
        """Whether the fields of an item were read, be it that there are none."""
        return item in self._own

    @property
    def read_at(self) -> float:
        """When the oldest of the fields was read, on the monotonic clock; now where none was."""
        return min((kept.at for kept in self._own.values()), default=time.monotonic())

    def of(self, item: str) -> Fields:
        """The fields of an item; those that were read last, where this reading failed."""
        found = self._own.get(item) or self._kept.get(item)
        if found is None:
            return NO_RECORD
        if found.values is not None:
            values, found.values = found.values, None
            try:
                found.fields = decoded(values, item)
            except ValueError as error:
                self._report(error)
            found.everywhere = not ("titles" in found.fields or _at_stores(found.fields))
        if found.everywhere:
            return found.fields
        fields = found.fields
        if "titles" in fields:
            fields = in_language(fields, self.language)
        return at_store(fields, self.query.store) if _at_stores(fields) else fields

    def of_all(self, items: Sequence[str]) -> list[Fields]:
        """The fields of several items."""
        found = map(self._own.get, items)
        return [
            one.fields if one is not None and one.everywhere else self.of(item)
            for one, item in zip(found, items, strict=True)
        ]

    def columns(self, items: Sequence[str]) -> FieldColumns:
        """The fields of several items, as columns; those of a list that is remembered."""
        return self._columns or FieldColumns(self.of_all(items))

    def meeting(
        self, entries: Sequence[RelatedItem], where: Condition, seed: str, most: int
    ) -> list[RelatedItem]:
        """At most so many entries that meet a condition."""
        fields = self.of_all([entry.id for entry in entries])
        if "score" in where.names:
            fields = with_scores(fields, entries)
        failed = where.of(self.of(seed))(FieldColumns(fields))
        return [entry for entry, clause in zip(entries, failed, strict=True) if not clause][:most]

    def boosted(self, entries: Sequence[RelatedItem], boost: Value, seed: str) -> list[RelatedItem]:
        """The entries by score times their value relative to the list's mean, half to twice."""
        given = boost.of(self.of(seed))(FieldColumns(self.of_all([entry.id for entry in entries])))
        numbers = [float(one) if isinstance(one, int | float) else math.nan for one in given]
        known = [one for one in numbers if one > 0 and math.isfinite(one)]
        mean = sum(known) / len(known) if known else 1.0
        weighed = []
        for entry, number in zip(entries, numbers, strict=True):
            factor = min(max(number / mean, BOOST_LEAST), BOOST_MOST)
            weighed.append((entry.score * (1.0 if math.isnan(number) else factor), entry))
        weighed.sort(key=lambda one: -one[0])
        return [entry._replace(score=min(score, 1.0)) for score, entry in weighed]


class ListFields(NamedTuple):
    """What was read for a list and the item that has it, the oldest at `at`, and its columns."""

    at: float
    own: dict[str, Kept]
    columns: FieldColumns


def with_scores(fields: Iterable[Fields], entries: Iterable[RelatedItem]) -> list[Fields]:
    """The fields of entries with their scores."""
    return [{**one, "score": entry.score} for one, entry in zip(fields, entries, strict=True)]


def _at_stores(fields: Fields) -> bool:
    """Whether the stock of an item is that of each store."""
    return isinstance(fields.get("stock"), dict)
