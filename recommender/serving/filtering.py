"""Answers with the fields of their items: filtered, boosted, and shown with records."""

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import overload

from recommender.core.related import (
    RelatedItem,
    RelatedList,
    entries_at,
    unread_of,
    with_fields,
    with_records,
)
from recommender.serving.codec import StoredList
from recommender.serving.expressions import Condition
from recommender.serving.field_columns import FieldColumns, Fields
from recommender.serving.filter_counts import Filtered
from recommender.serving.item_fields import (
    LOWEST,
    MAX_AGE_S,
    FieldsReading,
    ListFields,
    with_scores,
)
from recommender.serving.state import ListRequest

COUNTED = frozenset({"ok", "topped_up", "stale"})
"""The statuses of an item's own list."""
MAX_LISTS = 500


class RecentLists:
    """The fields of the lists that conditions looked at within a second, at most `MAX_LISTS`."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, ListFields] = {}

    def find(self, key: Hashable) -> ListFields | None:
        """What was read for a list a moment ago."""
        found = self._kept.get(key)
        return None if found is None or time.monotonic() - found.at > MAX_AGE_S else found

    def keep(self, key: Hashable, found: ListFields) -> None:
        """Keep what was read for a list."""
        if len(self._kept) >= MAX_LISTS:
            self._kept.clear()
        self._kept[key] = found


def list_key(answer: RelatedList, request: ListRequest, reading: FieldsReading) -> Hashable | None:
    """What decides the fields of the list behind an answer; None for a list of several items."""
    stored = unread_of(answer)
    if not isinstance(stored, StoredList) or request.view is None:
        return None
    asked = answer.item, request.view.layers, reading.language, reading.query.store
    return (stored.joined, len(stored.letters), *asked)


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
    status, dropped = answer.status, dict[str, int]()
    if query.where is None:
        entries = [entry for entry in answer.items if entry.id not in excluded]
    elif not reading.complete:
        return with_fields(answer, (), "degraded", (), {}, "")
    else:
        entries, dropped = _filtered(answer, query.where, reading, seed, excluded)
        if len(entries) < query.n:
            known = {seed, *answer.ids, *request.query.excluded, *request.state.withheld}
            known |= excluded
            best = [one for one in best_sellers(request) if one.id not in known]
            more = [one for one in best if reading.has_read(one.id)]  # of others nobody can say
            if more:
                others = reading.meeting(more, query.where, seed, query.n - len(entries))
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


def _filtered(
    answer: RelatedList,
    where: Condition,
    reading: FieldsReading,
    seed: str,
    excluded: AbstractSet[str],
) -> tuple[list[RelatedItem], dict[str, int]]:
    """The entries that meet a condition, as many as are needed, and how many clauses dropped."""
    ids, query = answer.ids, reading.query
    columns = reading.columns(ids)
    if "score" in where.names:
        columns = FieldColumns(with_scores(columns.fields, answer.items))
    most = query.n if query.boost is None else len(ids)
    places, dropped, looked_at = list[int](), dict[str, int](), 0
    for place, clause in enumerate(where.of(reading.of(seed))(columns)):
        if len(places) >= most:
            break
        if excluded and ids[place] in excluded:
            continue
        looked_at += 1
        if clause:
            dropped[clause] = dropped.get(clause, 0) + 1
        else:
            places.append(place)
    if answer.item and answer.status in COUNTED:
        n_dropped, short = sum(dropped.values()), len(places) < query.n
        reading.filtered.append(Filtered(answer.placement, looked_at, n_dropped, short))
    return entries_at(answer, places), dropped
