"""The fields of the items of answers: read in one round trip, filtered by, and shown with them."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, TypedDict

from recommender.core import item_id as item_ids
from recommender.core.related import RelatedItem, RelatedList, with_fields
from recommender.serving.codec import View
from recommender.serving.expressions import Condition, Evaluate, Fields, condition, value
from recommender.serving.keys import Keys
from recommender.serving.records import (
    NO_RECORD,
    at_store,
    decode_change,
    decode_record,
    shown_record,
)
from recommender.serving.state import (
    OVERSIZED,
    UNREAD,
    Command,
    ListRequest,
    Reply,
)

MAX_AGE_S = 1.0
"""How long fields are used without being read again."""
MAX_READ = 5_000
"""Of so many items at most the fields are read for one call."""
BOOST_LEAST, BOOST_MOST = 0.5, 2.0
LOWEST = 1 / 4096


class FieldsOptions(TypedDict, total=False):
    """What a call may ask of the fields of items.

    `records` shows them with the answer. `where` is a condition that every entry must meet, and
    `boost` a number by which entries are weighed, between half and twice the list's mean; both are
    expressions over fields of the item and of the seed (docs/serving.md). `store` names the store
    or region whose stock counts.
    """

    records: bool
    where: str
    boost: str
    store: str


class FieldsQuery(NamedTuple):
    """The options, compiled; the answer has at most `n` entries."""

    n: int
    records: bool
    where: Condition | None
    boost: Evaluate | None
    store: str

    @property
    def whole_lists(self) -> bool:
        """Whether all entries of the lists are needed."""
        return self.where is not None or self.boost is not None


def checked_fields(n: int, options: FieldsOptions) -> FieldsQuery | None:
    """The options of a call with n entries, None where there are none.

    Raises: TypeError for an option of a wrong type or name; ExpressionError.
    """
    if not options:
        return None
    unknown = options.keys() - FieldsOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"{min(unknown)}: unknown; there are {', '.join(FieldsOptions.__annotations__)}"
        )
    records = options.get("records", False)
    if not isinstance(records, bool):
        raise TypeError(f"records: true or false, not {type(records).__name__}")
    where, boost, store = (options.get(name, "") for name in ("where", "boost", "store"))
    for name, text in (("where", where), ("boost", boost), ("store", store)):
        if not isinstance(text, str):
            raise TypeError(f"{name}: text, not {type(text).__name__}")
    if not (records or where or boost):
        return None
    return FieldsQuery(
        n,
        records,
        condition(str(where)) if where else None,
        value(str(boost)) if boost else None,
        str(store),
    )


class FieldsCache:
    """The fields of the items that were read last, with the layers and the time of the reading."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: dict[str, tuple[tuple[int, ...], float, Fields]] = {}

    def fresh(self, item: str, layers: tuple[int, ...], now: float) -> Fields | None:
        """The fields of an item, where they were read from these layers a moment ago."""
        found = self._kept.get(item)
        if found is None or found[0] != layers or now - found[1] > MAX_AGE_S:
            return None
        return found[2]

    def last(self, item: str) -> Fields:
        """The fields that were read last, whenever that was."""
        found = self._kept.get(item)
        return NO_RECORD if found is None else found[2]

    def put(self, item: str, layers: tuple[int, ...], now: float, fields: Fields) -> None:
        """Keep the fields of an item."""
        if len(self._kept) >= self._bound and item not in self._kept:
            self._kept = {}
        self._kept[item] = (layers, now, fields)


class FieldsReading:
    """The fields of the items of some answers, as far as they were read."""

    def __init__(
        self,
        query: FieldsQuery,
        keys: Keys,
        cache: FieldsCache,
        report: Callable[[ValueError], None],
    ) -> None:
        self.query = query
        self._keys, self._cache, self._report = keys, cache, report
        self._fields: dict[str, Fields] = {}
        self._layers: tuple[int, ...] = ()
        self._seed: Fields = NO_RECORD
        self.wanted: list[str] = []
        self.complete = True

    def want(self, view: View | None, items: Iterable[str]) -> None:
        """Find out which of some items have to be read."""
        self._layers = view.layers if view else ()
        now = time.monotonic()
        for item in list(dict.fromkeys(items))[:MAX_READ]:
            cached = self._cache.fresh(item, self._layers, now)
            if cached is not None:
                self._fields[item] = cached
            elif not item_ids.fault(item):
                self.wanted.append(item)
        self.complete = not self.wanted

    def command(self) -> Command:
        """The command that reads what is wanted."""
        keys = self._keys
        return (
            "MGET",
            *[
                key
                for item in self.wanted
                for key in (
                    *[keys.record(layer, item) for layer in self._layers],
                    keys.change(item),
                )
            ],
        )

    def take(self, reply: Reply) -> None:
        """Take the reply to `command`; what is malformed counts as not there."""
        depth, now = len(self._layers) + 1, time.monotonic()
        self.complete = True
        for place, item in enumerate(self.wanted):
            values = reply[place * depth : (place + 1) * depth]
            if any(one is UNREAD for one in values):
                self.complete = False
                continue
            try:
                fields = _fields(values, item)
            except ValueError as error:
                self._report(error)
                continue
            self._fields[item] = fields
            self._cache.put(item, self._layers, now, fields)

    def of(self, item: str) -> Fields:
        """The fields of an item; those that were read last, where this reading failed."""
        return at_store(self._fields.get(item) or self._cache.last(item), self.query.store)

    def seeded(self, item: str) -> "FieldsReading":
        """The same, with an item as the seed of expressions."""
        self._seed = self.of(item)
        return self

    def meeting(
        self, entries: Iterable[RelatedItem], where: Condition
    ) -> tuple[list[RelatedItem], dict[str, int]]:
        """The entries that meet a condition, and how many each clause dropped."""
        kept, dropped = [], dict[str, int]()
        for entry in entries:
            failed = where.failed({**self.of(entry.id), "score": entry.score}, self._seed)
            if failed:
                dropped[failed] = dropped.get(failed, 0) + 1
            else:
                kept.append(entry)
        return kept, dropped

    def boosted(self, entries: Sequence[RelatedItem], boost: Evaluate) -> list[RelatedItem]:
        """The entries by score times their value relative to the list's mean, half to twice."""
        given = [boost(self.of(entry.id), self._seed) for entry in entries]
        numbers = [float(one) if isinstance(one, int | float) else math.nan for one in given]
        known = [one for one in numbers if one > 0 and math.isfinite(one)]
        mean = sum(known) / len(known) if known else 1.0
        weighed = []
        for entry, number in zip(entries, numbers, strict=True):
            factor = min(max(number / mean, BOOST_LEAST), BOOST_MOST)
            weighed.append((entry.score * (1.0 if math.isnan(number) else factor), entry))
        weighed.sort(key=lambda one: -one[0])
        return [entry._replace(score=min(score, 1.0)) for score, entry in weighed]


def wanted_items(answered: Iterable[tuple[RelatedList, ListRequest]], seed: str) -> Iterator[str]:
    """The items whose fields the answers need."""
    yield seed
    for answer, request in answered:
        yield answer.item
        yield from answer.ids
        fields = request.query.fields
        if fields is not None and fields.where is not None:
            yield from (entry.id for entry in best_sellers(request))


def best_sellers(request: ListRequest) -> tuple[RelatedItem, ...]:
    """The shop's best sellers of the placement, which stand in for what a condition drops."""
    best = request.best_sellers
    found = best.get(request.query.placement) or next(iter(best.values()), None)
    return found.stored.items() if found is not None and found.stored is not None else ()


def finished(
    answer: RelatedList, request: ListRequest, reading: FieldsReading, excluded: AbstractSet[str]
) -> RelatedList:
    """The answer with the entries that meet the condition, boosted, at most n, with records.

    Entries that are `excluded` are left out. Where fields could not be read, an answer under a
    condition is degraded and has no entries.
    """
    query = reading.query
    entries = [entry for entry in answer.items if entry.id not in excluded]
    status, dropped = answer.status, dict[str, int]()
    if query.where is not None:
        if not reading.complete:
            return with_fields(answer, (), "degraded", (), {})
        entries, dropped = reading.meeting(entries, query.where)
        if len(entries) < query.n:
            known = {answer.item, *answer.ids, *request.query.excluded, *request.state.withheld}
            more = [one for one in best_sellers(request) if one.id not in known | excluded]
            others, _ = reading.meeting(more, query.where)
            entries += [one._replace(score=LOWEST) for one in others]
    if query.boost is not None:
        entries = reading.boosted(entries, query.boost)
    shown = tuple(entries[: query.n])
    if status in {"ok", "topped_up"}:
        status = "topped_up" if any(one.evidence == "popular" for one in shown) else "ok"
    records = tuple([reading.of(entry.id) for entry in shown]) if query.records else ()
    return with_fields(answer, shown, status, records, dropped)


def _fields(values: Reply, item: str) -> Fields:
    *records, change = values
    stored = next((one for one in records if one is not None), None)
    if stored is OVERSIZED or change is OVERSIZED:
        raise ValueError(f"the record of {item!r} is too large")
    record = NO_RECORD if stored is None else decode_record(stored, item)
    if stored is None and change is None:
        return NO_RECORD
    return shown_record(record, {} if change is None else decode_change(change))
