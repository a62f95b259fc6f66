"""What a learned ranker is asked in training: which seeds ask, and which items were the answer."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.co_occurrence import LARGEST_UNIT
from recommender.core.interactions import Interactions

Objective = Literal["together", "next"]
"""What a list should hold: what shares a unit with its seed, or what its users take next."""

ASKED_PER_UNIT = 5
SHOWN = 10
HELD_OUT = 0.2
DECAY, LAST_ITEMS = 0.8, 20
SEED = 0


@dataclass(frozen=True, slots=True)
class Questions:
    """q questions, and the L lists that answer them.

    List l is that of item `seeds[l]` and answers question `question[l]`, where it counts
    `weight[l]` (L,); the seeds of one question are items of one user's history. Row i of `answers`
    (q, n) says how much each item is worth to question i, row i of `observed` how often it was the
    answer (a share), and row i of `seen` what may not be the answer. `importance` (q,) weighs
    questions in training, and `frequency` (q,) says how often they are asked. The newest are
    `held_out` (q,): orders learned from the others are judged on them.
    """

    seeds: Rows
    question: Rows
    weight: NDArray[np.float64]
    answers: sp.csr_array
    observed: sp.csr_array
    seen: sp.csr_array
    importance: NDArray[np.float64]
    frequency: NDArray[np.float64]
    held_out: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.importance)

    @classmethod
    def together(cls, later: Interactions) -> "Questions":
        """Each item asks what shares its later units (of 2 to 100 items).

        The newest fifth of the units, or a seeded fifth where all are of one time, asks questions
        of its own, which are held out.

        Each unit of s items queries with each of them, at most `ASKED_PER_UNIT` times in all. Each
        of its other items is worth an equal part of the ideal list's discounted gain, so a large
        unit weighs no more than a small one. Ranking by the mean worth maximises NDCG.
        """
        newest = _newest(later.began(), later.units_of())
        earlier, latest = later.select(~newest), later.select(newest)
        return cls._together(earlier, held_out=False).with_(cls._together(latest, held_out=True))

    @classmethod
    def _together(cls, later: Interactions, *, held_out: bool) -> "Questions":
        units = later.matrix()
        sizes = np.diff(units.indptr)
        units = units[np.flatnonzero((sizes >= 2) & (sizes <= LARGEST_UNIT))]
        units.data = np.ones_like(units.data)
        sizes = np.diff(units.indptr)
        asks = np.minimum(1, ASKED_PER_UNIT / np.maximum(sizes, 1))
        discounts = np.concatenate([[1.0], np.cumsum(1 / np.log2(np.arange(2, SHOWN + 2)))])
        ideal = discounts[np.minimum(np.maximum(sizes - 1, 1), SHOWN)]
        times_asked = np.asarray(units.T @ asks, dtype=np.float64)
        seeds = np.flatnonzero(times_asked > 0).astype(np.int32)
        by_seed: sp.csr_array = units.T.tocsr()[seeds]
        often = times_asked[seeds]
        answers = _scaled(by_seed @ sp.diags_array(asks / ideal) @ units, 1 / often)
        return cls(
            seeds=seeds,
            question=np.arange(len(seeds), dtype=np.int32),
            weight=np.ones(len(seeds)),
            answers=answers,
            observed=_scaled(by_seed @ sp.diags_array(asks) @ units, 1 / often),
            seen=_scaled(answers, np.zeros(len(seeds))),
            importance=np.sqrt(often),
            frequency=often,
            held_out=np.full(len(seeds), held_out),
        )

    @classmethod
    def next(cls, known: Interactions, later: Interactions) -> "Questions":
        """Each user asks, at each later moment, with the `LAST_ITEMS` distinct items before it.

        A moment is one event, or all events of one basket; moments of equal times are in the order
        of the input. The answers are its items that are new to the user; together they are worth 1.
        Each moment back weighs `DECAY` times as much. Where there are no users, sessions ask. The
        newest fifth of the moments is held out, a seeded fifth where all are of one time.
        """
        user, item, basket, moment, is_later = _histories(known, later)
        n_items = known.n_items
        pairs = user.astype(np.int64) * n_items + item
        first = np.zeros(len(pairs), dtype=bool)
        first[np.unique(pairs, return_index=True)[1]] = True
        user, item, basket = user[first], item[first], basket[first]
        moment, is_later = moment[first], is_later[first]
        start = np.searchsorted(user, user)
        begins = np.ones(len(user), dtype=bool)
        begins[1:] = (user[1:] != user[:-1]) | (basket[1:] < 0) | (basket[1:] != basket[:-1])
        of_moment = np.cumsum(begins) - 1
        at = np.flatnonzero(begins)
        asking = np.flatnonzero(is_later[at] & (at > start[at]))
        number = np.full(len(at), -1, dtype=np.int64)
        number[asking] = np.arange(len(asking))
        question = number[of_moment]
        answer = np.flatnonzero(question >= 0)
        sizes = np.bincount(question[answer], minlength=len(asking))
        shape = (len(asking), n_items)
        worth = (1 / sizes)[question[answer]].astype(np.float32)
        answers = sp.csr_array((worth, (question[answer], item[answer])), shape=shape)
        places = at[asking][:, None] - 1 - np.arange(LAST_ITEMS)
        kept = places >= start[at[asking]][:, None]
        asked, _ = np.nonzero(kept)
        moments_back = of_moment[at[asking]][asked] - 1 - of_moment[places[kept]]
        history = np.concatenate(
            [np.zeros(0, np.int64), *map(np.arange, start[at[asking]], at[asking])]
        )
        owners = np.repeat(np.arange(len(asking)), at[asking] - start[at[asking]])
        ones = np.ones(len(history), dtype=np.float32)
        observed = answers.copy()
        observed.data[:] = 1
        return cls(
            seeds=item[places[kept]].astype(np.int32),
            question=asked.astype(np.int32),
            weight=np.power(DECAY, moments_back).astype(np.float64),
            answers=answers,
            observed=observed,
            seen=sp.csr_array((ones, (owners, item[history])), shape=shape),
            importance=np.ones(len(asking)),
            frequency=np.ones(len(asking)),
            held_out=_newest(moment[at[asking]], np.arange(len(asking), dtype=np.int32)),
        )

    def with_(self, others: "Questions") -> "Questions":
        """These questions, and the others after them."""
        columns: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            both = [getattr(questions, name) for questions in (self, others)]
            columns[name] = (
                sp.vstack(both).tocsr() if sp.issparse(both[0]) else np.concatenate(both)
            )
        joined = Questions(**columns)
        joined.question[len(self.question) :] += len(self)
        return joined

    def drawn(self, rows: Rows, size: int, seed: int) -> "Questions":
        """At most `size` questions that some of the `rows` ask, important ones more likely.

        A fifth of the size is for those held out. Lists of other seeds are left out.
        """
        wanted = np.isin(self.seeds, rows)
        asking = np.unique(self.question[wanted])
        rng = np.random.default_rng(seed)
        frequency, parts = self.frequency.copy(), []
        for held_out, most in (
            (False, size - round(HELD_OUT * size)),
            (True, round(HELD_OUT * size)),
        ):
            part = asking[self.held_out[asking] == held_out]
            if len(part) > most:
                chance = self.importance[part] / self.importance[part].sum()
                part = rng.choice(part, most, replace=False, p=chance)
                frequency[part] /= self.importance[part]
            parts.append(part)
        asking = np.sort(np.concatenate(parts))
        kept = wanted & np.isin(self.question, asking)
        return Questions(
            seeds=self.seeds[kept],
            question=np.searchsorted(asking, self.question[kept]).astype(np.int32),
            weight=self.weight[kept],
            answers=self.answers[asking],
            observed=self.observed[asking],
            seen=self.seen[asking],
            importance=self.importance[asking],
            frequency=frequency[asking],
            held_out=self.held_out[asking],
        )


def _scaled(matrix: sp.csr_array, factors: NDArray[np.float64]) -> sp.csr_array:
    scaled: sp.csr_array = (sp.diags_array(factors) @ matrix).tocsr().astype(np.float32)
    scaled.sort_indices()
    return scaled


def _newest(moments: NDArray[np.int64], groups: Rows) -> NDArray[np.bool_]:
    """The newest fifth (m,) of what has these times; a seeded fifth of its groups if all is new."""
    oldest = np.quantile(moments, 1 - HELD_OUT) if len(moments) else 0
    newest: NDArray[np.bool_] = moments >= oldest
    if not newest.all():
        return newest
    distinct, numbers = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(SEED).permutation(len(distinct))
    return np.asarray(drawn[numbers] < HELD_OUT * len(drawn))


def _histories(
    known: Interactions, later: Interactions
) -> tuple[Rows, Rows, Rows, NDArray[np.int64], NDArray[np.bool_]]:
    """User, item, basket, time and whether it is later of all events (m,), by user and time."""
    by_session = not ((known.user >= 0).any() or (later.user >= 0).any())
    parts = []
    for events in (known, later):
        user = events.session if by_session else events.user
        counts = (user >= 0) & (np.asarray(events.weights)[events.kind] > 0)
        moment = np.where(events.basket >= 0, events.began(), events.time)
        parts.append((user[counts], events.item[counts], events.basket[counts], moment[counts]))
    user, item, basket, moment = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    is_later = np.arange(len(user)) >= len(parts[0][0])
    order = np.lexsort((basket, moment, user))
    return user[order], item[order], basket[order], moment[order], is_later[order]
