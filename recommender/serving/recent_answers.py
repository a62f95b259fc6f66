"""Answers of the last second whose fields were read, so that a busy page pays for them once."""

import time
from collections.abc import Hashable
from typing import NamedTuple

from recommender.core.related import RelatedList, with_fields
from recommender.serving.item_fields import MAX_AGE_S
from recommender.serving.state import ListRequest, PolledState


class Recent(NamedTuple):
    """An answer, and when the oldest of its fields was read."""

    read_at: float
    answer: RelatedList


class RecentAnswers:
    """At most `bound` answers about single items, by what was asked, under one state of the shop.

    Answers under earlier states are dropped, because each state may hold many items that are not
    available.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._kept: tuple[PolledState | None, dict[Hashable, Recent]] = (None, {})

    def find(self, answer: RelatedList, request: ListRequest) -> RelatedList | None:
        """The same answer as it was finished a moment ago, with the token of this one.

        None where the shop's pointer or its hidden items have changed since.
        """
        state, answers = self._kept
        found = answers.get(_key(answer, request)) if state is request.state else None
        if found is None or time.monotonic() - found.read_at > MAX_AGE_S:
            return None
        made = found.answer
        return with_fields(
            answer, made.items, made.status, made.records, made.dropped, made.language
        )

    def keep(
        self, answer: RelatedList, request: ListRequest, made: RelatedList, read_at: float
    ) -> None:
        """Keep what was made of an answer from fields that were read at `read_at` or later."""
        state, answers = self._kept
        if state is not request.state or len(answers) >= self._bound:
            answers = {}
            self._kept = (request.state, answers)
        answers[_key(answer, request)] = Recent(read_at, made)


def _key(answer: RelatedList, request: ListRequest) -> Hashable:
    query, fields = request.query, request.query.fields
    language = request.language
    asked = (query.placement, query.n, query.excluded, query.lowest, request.canary)
    return (answer.item, answer.status, *asked, language, fields and (fields.n, fields.texts))
