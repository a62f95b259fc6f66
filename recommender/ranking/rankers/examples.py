"""Training examples: features of candidates, and how well an order of them answers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, Rows, blocks
from recommender.core.co_occurrence import values_at
from recommender.core.lists import offsets_of, places, ranks_of
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import TrainingQueries
from recommender.ranking.rankers.calibration import Calibration
from recommender.ranking.rankers.pair_features import Features
from recommender.ranking.rankers.questions import SHOWN, Questions

BLOCK = 1024
STEEPEST = 30.0
SELF_NORMALISING = 0.1

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates of lists, one list after another, and what they are worth to the question.

    `table` (m, f) holds the features `names` (f,), `targets` (m,) what each candidate is worth and
    `observed` (m,) how often it was the answer. Lists have `sizes` (L,) candidates, and answer
    `question` (L,) by a share of `weight` (L,). `importance` (L,) weighs the question in training,
    `frequency` (L,) says how often it is asked, and `mass` (L,) how many items its seed is expected
    to be with. `items` (m,) are the candidates.
    """

    names: tuple[str, ...]
    table: FloatMatrix
    items: Rows
    targets: Doubles
    observed: Doubles
    sizes: NDArray[np.int64]
    question: NDArray[np.int64]
    weight: Doubles
    importance: Doubles
    frequency: Doubles
    mass: Doubles

    @classmethod
    def of(
        cls,
        queries: TrainingQueries,
        asked: Questions,
        debias: float,
        together: bool,
        whole: NDArray[np.bool_],
    ) -> "Examples | None":
        """Build the lists that hold an answer of their question; None where there is none.

        Of questions that are `whole` (q,) and answered by some list, the other lists are built too:
        what is served is a sum over all of them.
        """
        features = Features.of(queries.context)
        support = np.maximum(features.items["support"].astype(np.float64), 1)
        parts = []
        for lists, rows, candidates in _proposed(queries, asked):
            found = candidates.found
            sizes = found.sum(axis=1)
            seed_of = np.searchsorted(rows, asked.seeds[lists])
            at = places(offsets_of(sizes), seed_of)
            owner = np.repeat(np.arange(len(lists), dtype=np.int32), sizes[seed_of])
            items = candidates.rows[found][at]
            question = asked.question[lists]
            worth = values_at(asked.answers[question], owner, items).astype(np.float64)
            kept = values_at(asked.seen[question], owner, items) == 0
            answering = np.bincount(owner, worth * kept, len(lists)) > 0
            kept &= (answering | whole[question])[owner]
            if not kept.any():
                continue
            observed = values_at(asked.observed[question], owner, items)
            names, table = features.table(rows, candidates)
            there = np.unique(owner[kept])
            seeds = asked.seeds[lists][there]
            parts.append(
                cls(
                    names,
                    table[at[kept]],
                    items[kept],
                    (worth * support[items] ** -debias)[kept],
                    observed[kept].astype(np.float64),
                    np.bincount(owner[kept])[there],
                    question[there].astype(np.int64),
                    asked.weight[lists][there],
                    asked.importance[question][there],
                    asked.frequency[question][there],
                    features.others[seeds] if together else np.ones(len(seeds)),
                )
            )
        return cls.joined(parts).answered() if parts else None

    @classmethod
    def joined(cls, parts: list["Examples"]) -> "Examples":
        """All parts as one; questions of different parts are different ones if renumbered."""
        columns = [name for name in cls.__dataclass_fields__ if name != "names"]
        return cls(
            parts[0].names,
            *(np.concatenate([getattr(part, name) for part in parts]) for name in columns),
        )

    def numbered_from(self, first: int) -> "Examples":
        """The same with questions numbered from `first` on."""
        return replace(self, question=self.question + first)

    @property
    def n_questions(self) -> int:
        """The number behind the last question."""
        return int(self.question.max(initial=-1)) + 1

    @property
    def n_asked(self) -> int:
        """The number of questions."""
        return len(np.unique(self.question))

    @property
    def owner(self) -> NDArray[np.int64]:
        """The list of each candidate (m,)."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def base(self) -> float:
        """The value at which the candidates of a list of mean size have a sum of 1."""
        return -float(np.log(self.sizes.mean()))

    def select(self, questions: NDArray[np.bool_]) -> "Examples":
        """The lists of the questions (q,) that are chosen."""
        lists = questions[self.question]
        rows = np.repeat(lists, self.sizes)
        of_rows = ("table", "items", "targets", "observed")
        of_lists = ("sizes", "question", "weight", "importance", "frequency", "mass")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in of_rows},
            **{name: getattr(self, name)[lists] for name in of_lists},
        )

    def answered(self) -> "Examples | None":
        """The lists of questions that some list answers; None where there is none."""
        worth = np.bincount(self.question[self.owner], self.targets, self.n_questions)
        return self.select(worth > 0) if worth.any() else None

    def column(self, name: str) -> Doubles:
        """One feature as a strength (m,), at least 0; 0 where it is not known."""
        values = np.nan_to_num(self.table[:, self.names.index(name)].astype(np.float64))
        return np.maximum(values, 0)

    def strength(self, values: Doubles) -> Doubles:
        """How often each candidate (m,) is expected with its seed, for logarithms of chances."""
        strength: Doubles = np.exp(np.clip(values, -STEEPEST, STEEPEST)) * self.mass[self.owner]
        return strength

    def gain(self, strength: Doubles) -> Doubles:
        """Discounted worth of the first ten candidates of each question (q,), by importance.

        A candidate has the sum of its strengths (m,) in the question's lists, by their weights.
        """
        owner = self.owner
        width = int(self.items.max(initial=0)) + 1
        key, first, place = np.unique(
            self.question[owner] * width + self.items, return_index=True, return_inverse=True
        )
        summed = np.bincount(place, strength * self.weight[owner])
        _, sizes = np.unique(key // width, return_counts=True)
        order = np.lexsort((-summed, key // width))
        ranks = ranks_of(sizes)
        discounts = np.where(ranks < SHOWN, 1 / np.log2(ranks + 2), 0)
        asked = np.repeat(np.arange(len(sizes)), sizes)
        gains = np.bincount(asked, self.targets[first][order] * discounts, len(sizes))
        _, a_list = np.unique(self.question, return_index=True)
        gained: Doubles = gains * self.importance[a_list]
        return gained

    def calibrated(self, strength: Doubles) -> Calibration:
        """The calibration of strengths (m,) by what was observed."""
        weight = (self.weight * self.frequency)[self.owner]
        return Calibration.of(strength, self.observed, weight)


@dataclass(frozen=True, slots=True)
class Mixture:
    """The mixture of lists that explains the answers of examples.

    `owner` (m,) is the list of each candidate. Of the a candidates that are answers, `at` (a,) are
    the places, `lists` (a,) their lists, `answer` (a,) numbers the answers of questions, of which
    `first` holds one candidate each, and `worth` (a,) is what they weigh.
    """

    owner: NDArray[np.int64]
    at: NDArray[np.intp]
    lists: NDArray[np.int64]
    answer: NDArray[np.intp]
    first: NDArray[np.intp]
    worth: Doubles
    weight: Doubles

    @classmethod
    def of(cls, examples: Examples) -> "Mixture":
        """Find which lists hold which answer."""
        owner = examples.owner
        at = np.flatnonzero(examples.targets > 0)
        lists = owner[at]
        width = int(examples.items.max(initial=0)) + 1
        key = examples.question[lists] * width + examples.items[at]
        _, first, answer = np.unique(key, return_index=True, return_inverse=True)
        worth = examples.targets[at] * examples.importance[lists]
        return cls(owner, at, lists, answer, first, worth, examples.weight)

    def loss(self, values: Doubles) -> float:
        """Cross-entropy of the answers, for logarithms of chances (m,), by list."""
        explained, _ = self._explained(self._chances(values)[0])
        logs = np.log(np.maximum(explained, 1e-12))
        return -float((self.worth * logs)[self.first].sum() / len(self.weight))

    def gradients(self, values: Doubles) -> tuple[Doubles, Doubles]:
        """First and second derivative (m,) of the loss, and of what keeps sums of chances near 1.

        Both are those of the sum over lists. Source of the latter: Andreas, Klein 2015, "When and
        why are log-linear models self-normalizing?".
        """
        chances, log_sum = self._chances(values)
        explained, mass = self._explained(chances)
        target = self.worth * mass / np.maximum(explained, 1e-300)
        of_list = np.bincount(self.lists, target, len(self.weight))
        pull = 2 * SELF_NORMALISING * of_list * log_sum
        gradient = (of_list + pull)[self.owner] * chances
        gradient[self.at] -= target
        stiff = of_list[self.owner] * chances * (1 - chances + 2 * SELF_NORMALISING * chances)
        return gradient, np.maximum(stiff, 1e-9)

    def _chances(self, values: Doubles) -> tuple[Doubles, Doubles]:
        """The softmax (m,) of each list, and the logarithm (L,) of the sum it divides by."""
        raised = np.exp(np.clip(values, -STEEPEST, STEEPEST))
        sums = np.bincount(self.owner, raised, len(self.weight))
        return raised / sums[self.owner], np.log(sums)

    def _explained(self, chances: Doubles) -> tuple[Doubles, Doubles]:
        """The chance of each answer (a,) in the mixture, and the part that its list gives (a,)."""
        mass = self.weight[self.lists] * chances[self.at]
        explained = np.bincount(self.answer, mass).astype(np.float64)[self.answer]
        return explained, mass


def _proposed(
    queries: TrainingQueries, asked: Questions
) -> Iterator[tuple[Rows, Rows, Neighbours]]:
    """Lists, their distinct seeds and the candidates of these, for blocks of seeds."""
    seeds = np.unique(asked.seeds)
    for block in blocks(len(seeds), BLOCK):
        rows = seeds[block]
        lists = np.flatnonzero((asked.seeds >= rows[0]) & (asked.seeds <= rows[-1]))
        yield lists.astype(np.int32), rows, queries.propose(rows)
