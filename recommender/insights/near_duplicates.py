"""Near-duplicates: one item under two ids, and variants without a common group."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from recommender.core.arrays import FloatVector, Rows, text_codes
from recommender.core.catalogue import Catalogue
from recommender.core.neighbours import Neighbours
from recommender.insights.checks import Finding, Words, run_together, spelt_alike

Pair = tuple[int, int]
Swap = tuple[frozenset[str], frozenset[str]]
"""The word that only the first title has, and the word that only the second has."""

VARIANT_QUANTILE, DUPLICATE_QUANTILE = 0.5, 0.95
FEWEST_PAIRS, SAMPLED_PAIRS = 30, 20_000
SHARED_WORDS, FRAMES, SPELLED, LISTED = 2, 3, 5, 8


@dataclass(frozen=True, slots=True)
class CosineThresholds:
    """Text cosines above which pairs are candidates in this catalogue.

    They are quantiles of the pairs of titles that differ in one word: half of these are above
    `variant`, and one in twenty is above `duplicate`. If there are too few such pairs, all near
    pairs are used.
    """

    variant: float
    duplicate: float

    @classmethod
    def measured(
        cls, sets: Sequence[frozenset[str]], pairs: Rows, cosines: FloatVector, seed: int = 0
    ) -> "CosineThresholds":
        """Measure on a seeded sample of the near pairs (p, 2); `sets` has the words of each row."""
        if not len(pairs):
            return cls(1.0, 1.0)
        drawn = np.random.default_rng(seed).permutation(len(pairs))[:SAMPLED_PAIRS]
        near = cosines[drawn]
        words = ((sets[one], sets[other]) for one, other in pairs[drawn].tolist())
        one_word = np.array(
            [len(a) == len(b) == len(a & b) + 1 > SHARED_WORDS for a, b in words], dtype=bool
        )
        measured = near[one_word] if one_word.sum() >= FEWEST_PAIRS else near
        variant, duplicate = np.quantile(measured, (VARIANT_QUANTILE, DUPLICATE_QUANTILE)).tolist()
        return cls(variant, duplicate)


@dataclass(frozen=True, slots=True)
class DuplicatePairs:
    """Pairs of rows without a common group: the same title, nearly the same, and variants.

    `nearly` has the reason for each pair.
    """

    same: tuple[Pair, ...]
    nearly: Mapping[Pair, str]
    variants: tuple[Pair, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, words: Sequence[Words], near: Neighbours) -> "DuplicatePairs":
        """Compare titles, and the texts that are `near` (n, k).

        Texts are nearly the same if one has one more word (but no number) and their cosine is above
        the threshold for duplicates, or if they have the same words in another order or one word
        spelt differently and their cosine is above the threshold for variants. Variants differ in
        one word that is a number or a letter, or that replaces the other in at least three titles.
        """
        titles = [run_together(title) for title in words]
        grouped = np.array([bool(group) for group in catalogue.group], dtype=bool)
        same = tuple(pair for pair in _same(titles) if not grouped[list(pair)].all())
        sets = [frozenset(title) for title in words]
        pairs, cosines = _near_pairs(near, text_codes(titles)[0], grouped)
        scale = CosineThresholds.measured(sets, pairs, cosines)
        close = cosines >= scale.variant
        differing = {
            (one, other): (sets[one] - sets[other], sets[other] - sets[one], cosine)
            for (one, other), cosine in zip(
                pairs[close].tolist(), cosines[close].tolist(), strict=True
            )
            if len(sets[one] & sets[other]) >= SHARED_WORDS
        }
        rare = _occurring_once(sets)
        nearly = {
            pair: reason
            for pair, found in differing.items()
            if (reason := _reason(found, scale, rare))
        }
        swaps = {
            pair: (one, other)
            for pair, (one, other, _) in differing.items()
            if len(one) == len(other) == 1 and pair not in nearly
        }
        axes = _axes(sets, swaps)
        return cls(same, nearly, tuple(pair for pair, swap in swaps.items() if swap in axes))

    @property
    def alike(self) -> tuple[Pair, ...]:
        """All pairs of one product."""
        return (*self.same, *self.nearly, *self.variants)

    def findings(self, words: Sequence[Words]) -> Iterator[Finding]:
        """Each item at most once for each kind, with the first item that it belongs to."""
        for members in _joined(self.same):
            for row, other in _with_first(members):
                yield Finding("same-title", row, f"{len(members)} ids have it", other)
        reported: set[int] = set()
        for (one, other), reason in self.nearly.items():
            for row, partner in ((one, other), (other, one)):
                if row not in reported:
                    reported.add(row)
                    yield Finding("near-duplicate", row, reason, partner)
        for members in _joined(self.variants):
            shared = set.intersection(*(set(words[row]) for row in members))
            differing = list(
                {word: 0 for row in members for word in words[row] if word not in shared}
            )
            listed = ", ".join(differing[:LISTED]) + (", ..." if len(differing) > LISTED else "")
            for row, other in _with_first(members):
                detail = f"one of {len(members)}, by {listed}"
                yield Finding("ungrouped-variant", row, detail, other)


def _with_first(members: Sequence[int]) -> Iterator[Pair]:
    """Each row with the first other row of its set."""
    first, second, *_ = members
    for row in members:
        yield row, second if row == first else first


def _same(titles: Sequence[str]) -> Iterator[Pair]:
    """Pairs of rows with the same title, each row with the first that has it."""
    first: dict[str, int] = {}
    for row, title in enumerate(titles):
        if title and (one := first.setdefault(title, row)) != row:
            yield one, row


def _near_pairs(
    near: Neighbours, titles: Rows, grouped: NDArray[np.bool_]
) -> tuple[Rows, FloatVector]:
    """Near rows (p, 2), each pair once, with their cosines (p,).

    Pairs with the same title, or with a group each, are left out.
    """
    queries, places = np.nonzero(near.found)
    found = near.rows[queries, places].astype(np.int64)
    places = np.minimum(queries, found) * len(titles) + np.maximum(queries, found)
    places, first = np.unique(places, return_index=True)
    pairs = np.stack(np.divmod(places, len(titles)), axis=1).astype(np.int32)
    differ = titles[pairs[:, 0]] != titles[pairs[:, 1]]
    kept = differ & ~grouped[pairs].all(axis=1)
    return pairs[kept], near.scores[near.found][first[kept]]


def _occurring_once(sets: Sequence[frozenset[str]]) -> set[str]:
    """Words that occur in one title only."""
    occurrences = Counter(word for title in sets for word in title)
    return {word for word, count in occurrences.items() if count == 1}


def _reason(
    found: tuple[frozenset[str], frozenset[str], float], scale: CosineThresholds, rare: set[str]
) -> str:
    """Why two near texts with these distinct words are nearly the same; empty if they are not."""
    one, other, cosine = found
    if not one and not other:
        return f"the same words in another order, cosine {cosine:.3f}"
    if len(one) == len(other) == 1:
        return _misspelt(next(iter(one)), next(iter(other)), rare)
    more = one or other
    if (one and other) or len(more) > 1 or cosine < scale.duplicate or _is_mark(next(iter(more))):
        return ""
    return f"only {next(iter(more))!r} is more, cosine {cosine:.3f}"


def _misspelt(one: str, other: str, rare: set[str]) -> str:
    long = min(len(one), len(other)) >= SPELLED
    found = long and (one in rare or other in rare) and spelt_alike(one, other)
    return f"{one!r} is spelt {other!r}" if found else ""


def _axes(sets: Sequence[frozenset[str]], swaps: Mapping[Pair, Swap]) -> set[Swap]:
    """The swaps that distinguish variants in this catalogue."""
    frames: dict[frozenset[str], set[frozenset[str]]] = defaultdict(set)
    for (row, _), (one, other) in swaps.items():
        frames[one | other].add(sets[row] - one)
    return {
        (one, other)
        for one, other in swaps.values()
        if len(frames[one | other]) >= FRAMES or all(map(_is_mark, one | other))
    }


def _is_mark(word: str) -> bool:
    """Whether a word is a number, a size with one, or a single letter."""
    return len(word) == 1 or any(character.isdigit() for character in word)


def _joined(pairs: Sequence[Pair]) -> Iterator[list[int]]:
    """The connected sets of rows, each in row order."""
    if not pairs:
        return
    rows, codes = np.unique(pairs, return_inverse=True)
    one, other = codes.reshape(-1, 2).T
    links = sp.coo_array((np.ones(len(pairs)), (one, other)), shape=(len(rows), len(rows)))
    _, labels = connected_components(links, directed=False)
    ordered = rows[np.argsort(labels, kind="stable")]
    for members in np.split(ordered, np.cumsum(np.bincount(labels))[:-1]):
        yield members.tolist()
