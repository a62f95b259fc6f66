"""What answers show of the fields of their items: read, filtered by, and explored with."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from recommender.core.related import RelatedList
from recommender.serving.core import Core
from recommender.serving.exploration import Draw, explored
from recommender.serving.fields_query import no_fields
from recommender.serving.filtering import (
    RecentLists,
    best_sellers,
    finished,
    list_key,
    wanted_items,
)
from recommender.serving.item_fields import FieldsReading, Kept
from recommender.serving.recent_answers import RecentAnswers
from recommender.serving.state import Command, ListRequest, Reply

Read = Callable[[Command, float], Awaitable[Reply | None]]
"""Sends a command and returns its reply, None where there is none before the deadline."""
Answered = Sequence[tuple[RelatedList, ListRequest]]
"""Answers with the requests that they answer."""


class AnswerFields:
    """Finishes answers with the fields of items, of which it keeps at most `bound`."""

    def __init__(self, core: Core, bound: int, read: Read) -> None:
        self._core, self._bound, self._read = core, bound, read
        self._kept: dict[str, Kept] = {}
        self._recent = RecentAnswers(bound)
        self._lists = RecentLists()

    def recent(self, answer: RelatedList, request: ListRequest) -> RelatedList | None:
        """The answer about one item as it was finished a moment ago, if nothing is explored."""
        return None if request.state.explores else self._recent.find(answer, request)

    async def finished(
        self, answered: Answered, seed: str, *, distinct: bool, anew: bool = False
    ) -> list[RelatedList]:
        """The answers with what their query asks of the fields of items, in one round trip.

        Where new items take positions, they are read in another. A list for several items has the
        fields of `seed` as those of its item. With `anew`, there is no `recent` answer.
        """
        if not answered:
            return []
        first, request = answered[0]
        query = request.query.fields
        explores = request.state.explores
        if query is None and not explores:
            return [answer for answer, _ in answered]
        single = len(answered) == 1 and first.item != "" and query is not None
        recent = self._recent.find(first, request) if single and not anew else None
        if recent is not None and not explores:
            return [recent]
        reading = self.reading(request)
        if recent is not None:
            made = [recent]
        else:
            made = await self._made(answered, reading, seed, distinct=distinct)
            if single and reading.complete:
                self._recent.keep(first, request, made[0], reading.read_at)
        if explores:
            made = await self._explored(answered, made, reading, seed)
        return made

    def reading(self, request: ListRequest) -> FieldsReading:
        """What is read for a request, and what was read a moment ago."""
        query = request.query.fields or no_fields(request.query.n)
        return FieldsReading(
            *(query, self._core.keys, self._kept, self._bound),
            partial(self._core.report, "record_unreadable"),
            request.language,
        )

    async def read(
        self, reading: FieldsReading, request: ListRequest, items: Iterable[str]
    ) -> bool:
        """Read the fields of the items that were not read a moment ago; whether that worked."""
        wanted = reading.want(request.view, items)
        if not wanted:
            return True
        if request.view is None:
            return False
        reply = await self._read(reading.command(wanted), request.until)
        if reply is None:
            return False
        reading.take(wanted, reply)
        return True

    async def _made(
        self, answered: Answered, reading: FieldsReading, seed: str, *, distinct: bool
    ) -> list[RelatedList]:
        request, query = answered[0][1], reading.query
        if request.query.fields is None:
            return [answer for answer, _ in answered]
        await self._read_lists(answered, reading, seed)
        made = _finished(answered, reading, seed, distinct=distinct)
        if query.where is not None and any(len(one.items) < query.n for one in made):
            best = [entry.id for _, asked in answered for entry in best_sellers(asked)]
            if best and await self.read(reading, request, best):
                reading.filtered.clear()
                made = _finished(answered, reading, seed, distinct=distinct)
        for filtered in reading.filtered:
            for name, by in filtered.counts().items():
                self._core.count(name, by)
        return made

    async def _read_lists(self, answered: Answered, reading: FieldsReading, seed: str) -> None:
        """Read the fields of some answers, of a single list those of a moment ago if possible."""
        answer, request = answered[0]
        filters = len(answered) == 1 and reading.query.where is not None
        key = list_key(answer, request, reading) if filters else None
        found = self._lists.find(key) if key is not None else None
        if found is not None:
            reading.recall(found)
            return
        await self.read(reading, request, wanted_items(answered, seed))
        if key is not None and reading.complete:
            self._lists.keep(key, reading.remembered(answer.ids))

    async def _explored(
        self,
        answered: Answered,
        made: Sequence[RelatedList],
        reading: FieldsReading,
        seed: str,
    ) -> list[RelatedList]:
        """The answers with new items at the places that are drawn."""
        draws = [
            Draw(answer, request, answer.item or seed)
            for answer, (_, request) in zip(made, answered, strict=True)
        ]
        request = answered[0][1]
        await self.read(reading, request, [draw.seed for draw in draws if draw.places])
        candidates = [
            draw.candidates(reading.of(draw.seed)) if draw.places else [] for draw in draws
        ]
        if reading.query.records or reading.query.where is not None:
            await self.read(reading, request, [item for some in candidates for item in some])
        shown = {item for answer in made for item in answer.ids}
        found = []
        for draw, some in zip(draws, candidates, strict=True):
            found.append(explored(draw, some, reading, shown) if some else draw.answer)
            shown.update(found[-1].explored)
        return found


def _finished(
    answered: Answered,
    reading: FieldsReading,
    seed: str,
    *,
    distinct: bool,
) -> list[RelatedList]:
    made: list[RelatedList] = []
    shown: set[str] = set()
    for answer, request in answered:
        made.append(finished(answer, request, reading, answer.item or seed, shown))
        if distinct:
            shown.update(made[-1].ids)
    return made
