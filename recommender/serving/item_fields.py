"""The fields of the items of answers: read in one round trip, filtered by, and shown with them."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import overload

from recommender.core import item_id as item_ids
from recommender.core.related import RelatedItem, RelatedList, with_fields, with_records
from recommender.serving.codec import View
from recommender.serving.expressions import Condition, Fields, Value
from recommender.serving.fields_query import FieldsQuery
from recommender.serving.filter_counts import Filtered
from recommender.serving.keys import RECORDS, Keys, list_name
from recommender.serving.records import NO_RECORD, at_store, decoded, in_language
from recommender.serving.state import UNREAD, Command, ListRequest, Reply

MAX_AGE_S = 1.0
"""How long fields are used without being read again."""
MAX_READ = 5_000
"""Of so many items at most the fields are read for one call."""
BOOST_LEAST, BOOST_MOST = 0.5, 2.0
LOWEST = 1 / 4096
COUNTED = frozenset({"ok", "topped_up", "stale"})
"""The statuses of an item's own list."""


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

    def meeting(
        self, entries: Iterable[RelatedItem], where: Condition, seed: str, most: int
    ) -> tuple[list[RelatedItem], dict[str, int]]:
        """At most so many entries that meet a condition, and how many each clause dropped."""
        kept, dropped = list[RelatedItem](), dict[str, int]()
        entries = tuple(entries)
        fields = self.of_all([entry.id for entry in entries])
        if "score" in where.names:
            fields = [
                {**one, "score": entry.score} for one, entry in zip(fields, entries, strict=True)
            ]
        for entry, clause in zip(entries, where.of(self.of(seed))(fields), strict=True):
            if len(kept) >= most:
                break
            if clause:
                dropped[clause] = dropped.get(clause, 0) + 1
            else:
                kept.append(entry)
        return kept, dropped

    def boosted(self, entries: Sequence[RelatedItem], boost: Value, seed: str) -> list[RelatedItem]:
        """The entries by score times their value relative to the list's mean, half to twice."""
        given = boost.of(self.of(seed))(self.of_all([entry.id for entry in entries]))
        numbers = [float(one) if isinstance(one, int | float) else math.nan for one in given]
        known = [one for one in numbers if one > 0 and math.isfinite(one)]
        mean = sum(known) / len(known) if known else 1.0
        weighed = []
        for entry, number in zip(entries, numbers, strict=True):
            factor = min(max(number / mean, BOOST_LEAST), BOOST_MOST)
            weighed.append((entry.score * (1.0 if math.isnan(number) else factor), entry))
        weighed.sort(key=lambda one: -one[0])
        return [entry._replace(score=min(score, 1.0)) for score, entry in weighed]


class ShownRecords(Sequence[Fields]):
    """The records of the items that are shown, decoded when the first of them is read."""

    def __init__(self, ids: Sequence[str], reading: FieldsReading) -> None:
        self._ids, self._reading = ids, reading
        self._made: tuple[Fields, ...] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> Fields: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Fields, ...]: ...
    def __getitem__(self, place: int | slice) -> Fields | tuple[Fields, ...]:
        """The record at a place, or those at several."""
        if self._made is None:
            self._made = tuple(self._reading.of_all(self._ids))
        return self._made[place]


def wanted_items(answered: Iterable[tuple[RelatedList, ListRequest]], seed: str) -> Iterator[str]:
    """The items whose fields the answers need."""
    for answer, request in answered:
        yield from answer.ids
        fields = request.query.fields
        if request.state.explores or (fields is not None and fields.whole_lists):
            yield answer.item or seed


def best_sellers(request: ListRequest) -> tuple[RelatedItem, ...]:
    """The shop's best sellers of the placement, which stand in for what a condition drops."""
    best = request.best_sellers
    found = best.get(request.query.placement) or next(iter(best.values()), None)
    return found.stored.items() if found is not None and found.stored is not None else ()


def finished(
    answer: RelatedList,
    request: ListRequest,
    reading: FieldsReading,
    seed: str,
    excluded: AbstractSet[str],
) -> RelatedList:
    """The answer with the entries that meet the condition, boosted, at most n, with records.

    Entries that are `excluded` are left out. Where fields could not be read, an answer under a
    condition is degraded and has no entries.
    """
    query = reading.query
    if not (query.whole_lists or excluded):
        return with_records(answer, ShownRecords(answer.ids, reading), reading.language)
    entries = [entry for entry in answer.items if entry.id not in excluded]
    status, dropped = answer.status, dict[str, int]()
    if query.where is not None:
        if not reading.complete:
            return with_fields(answer, (), "degraded", (), {}, "")
        most = query.n if query.boost is None else len(entries)
        looked_at = len(entries)
        entries, dropped = reading.meeting(entries, query.where, seed, most)
        short = len(entries) < query.n
        if answer.item and answer.status in COUNTED:
            n_dropped = sum(dropped.values())
            looked_at = looked_at if short else len(entries) + n_dropped
            reading.filtered.append(Filtered(answer.placement, looked_at, n_dropped, short))
        if short:
            known = {seed, *answer.ids, *request.query.excluded, *request.state.withheld}
            more = [one for one in best_sellers(request) if one.id not in known | excluded]
            others, _ = reading.meeting(more, query.where, seed, query.n - len(entries))
            entries += [one._replace(score=LOWEST) for one in others]
    if query.boost is not None:
        entries = reading.boosted(entries, query.boost, seed)
    shown = tuple(entries[: query.n])
    if status in {"ok", "topped_up"}:
        status = "topped_up" if any(one.evidence == "popular" for one in shown) else "ok"
    ids = [entry.id for entry in shown]
    records = ShownRecords(ids, reading) if query.records else ()
    language = reading.language if query.records else ""
    return with_fields(answer, shown, status, records, dropped, language)


def _at_stores(fields: Fields) -> bool:
    """Whether the stock of an item is that of each store."""
    return isinstance(fields.get("stock"), dict)
