"""Clusters: items grouped by their texts, each group named by words that its texts share."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import FloatMatrix, Rows, unit_rows
from recommender.errors import ConfigError, DataError

WITHOUT = -1
SHARE, LIFT, NAME_WORDS = 0.5, 2.0, 3
SMALLEST, SMALL, NEAREST = 4, 10, 5
MINI_BATCH_FROM = 20_000
MAP_POINTS = 5_000
MAP_DIMENSIONS = 50
PERPLEXITY = 30.0

_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A group of items: the words of its name, and its rows (m,).

    Each word of the name is in at least half of its texts. If its texts share no word, the group
    has no name.
    """

    words: tuple[str, ...]
    rows: Rows

    @property
    def name(self) -> str:
        """The words of the name in the order in which the texts have them."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Clusters:
    """All groups of n items, named ones first, then by size, with the most typical rows first.

    `label` (n,) is the number of the group of each item, `WITHOUT` if the item has no text.
    """

    groups: tuple[Cluster, ...]
    label: Rows

    @classmethod
    def of(cls, groups: Iterable[Cluster], n_items: int) -> "Clusters":
        """Number the groups."""
        ordered = sorted(groups, key=lambda one: (not one.words, -len(one.rows), one.name))
        label = np.full(n_items, WITHOUT, dtype=np.int32)
        for number, group in enumerate(ordered):
            label[group.rows] = number
        return cls(tuple(ordered), label)


@dataclass(frozen=True, slots=True)
class Clustering:
    """k-means over unit vectors of texts, groups named by class-based TF-IDF.

    A `k` of 0 starts with the square root of half the number of texts, and halves every group whose
    texts share no word. Groups of the same name are joined, and small groups join a near group
    whose name fits them too. All remaining texts are one group without a name.
    The words of a name are in at least half of the group's texts, and at least twice as often there
    as in all other texts. So no list of stop words is needed, in any language.

    Source: spherical k-means of Dhillon, Modha 2001; the starting number of Mardia 1979;
    class-based TF-IDF of Grootendorst 2022, "BERTopic".

    Raises: ConfigError if k is 1 or negative.
    """

    k: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 0 or self.k == 1:
            raise ConfigError(f"k = {self.k}: give at least 2, or auto")

    def fit(self, texts: Sequence[str], matrix: FloatMatrix) -> Clusters:
        """Group n items by their text vectors (n, d); a zero row belongs to no group.

        Raises: DataError if there are fewer than two texts, or fewer than k.
        """
        known = np.flatnonzero(matrix.any(axis=1)).astype(np.int32)
        if len(known) < max(2, self.k):
            raise DataError(f"{len(known)} items have a text; at least {max(2, self.k)} are needed")
        wanted = self.k or max(2, round((len(known) / 2) ** 0.5))
        namer = _Namer(texts, known)
        parts = [known[part] for part in _parts(unit_rows(matrix[known]), wanted, self.seed)]
        if self.k:
            groups = [Cluster(namer.words(part), part) for part in parts]
        else:
            named = _joined(self._named(parts, matrix, namer))
            groups = _joined(_absorbed(named, matrix, namer))
        ranked = [Cluster(one.words, _most_typical_first(one.rows, matrix)) for one in groups]
        return Clusters.of(ranked, len(matrix))

    def _named(self, parts: Sequence[Rows], matrix: FloatMatrix, namer: "_Namer") -> list[Cluster]:
        """Groups with their names; large ones without a name are halved."""
        found, waiting = [], list(parts)
        while waiting:
            part = waiting.pop()
            words = namer.words(part)
            splits = not words and len(part) >= 2 * SMALLEST
            halves = _parts(unit_rows(matrix[part]), 2, self.seed) if splits else []
            if len(halves) < 2:
                found.append(Cluster(words, part))
            else:
                waiting += [part[half] for half in halves]
        return found


@dataclass(frozen=True, slots=True)
class _Namer:
    """Finds the words that distinguish a group from all `known` rows of the texts."""

    texts: Sequence[str]
    known: Rows
    everywhere: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        words = (word for row in self.known.tolist() for word in set(name_words(self.texts[row])))
        object.__setattr__(self, "everywhere", Counter(words))

    def words(self, rows: Rows) -> tuple[str, ...]:
        """At most three words in the order in which the texts have them, possibly none."""
        inside: Counter[str] = Counter()
        places: Counter[str] = Counter()
        for row in rows.tolist():
            for place, word in enumerate(dict.fromkeys(name_words(self.texts[row]))):
                inside[word] += 1
                places[word] += place
        others = max(1, len(self.known) - len(rows))
        shared = [
            word
            for word, count in inside.items()
            if count >= SHARE * len(rows)
            and count / len(rows) >= LIFT * (self.everywhere[word] - count) / others
        ]
        mean = self.everywhere.total() / len(self.known) * len(rows)

        def weight(word: str) -> float:
            return inside[word] * float(np.log1p(mean / self.everywhere[word]))

        shared.sort(key=lambda word: (-weight(word), -len(word), word))
        return tuple(
            sorted(shared[:NAME_WORDS], key=lambda word: (places[word] / inside[word], word))
        )


def name_words(text: str) -> list[str]:
    """The words of at least three letters, in lower case."""
    return _WORD.findall(text.casefold())


def projected(matrix: FloatMatrix, seed: int = 0) -> FloatMatrix:
    """Points (n, 2) in a square of side 2 around 0; near vectors (n, d) have near points.

    Source: van der Maaten, Hinton 2008, t-SNE, on the first 50 principal components.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n_rows, width = matrix.shape
    if n_rows < 5:
        return np.linspace(-1, 1, 2 * n_rows, dtype=np.float32).reshape(n_rows, 2)
    with threadpool_limits(1):
        components = min(MAP_DIMENSIONS, width, n_rows - 1)
        reduced = PCA(components, random_state=seed).fit_transform(unit_rows(matrix))
        embedding = TSNE(
            perplexity=min(PERPLEXITY, (n_rows - 1) / 3), init="pca", random_state=seed
        )
        places = embedding.fit_transform(reduced).astype(np.float32)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    scaled: FloatMatrix = places / max(float(np.abs(places).max()), 1e-9)
    return scaled


def drawn_for_map(label: Rows, seed: int = 0) -> Rows:
    """The rows that a map shows: all rows in groups, or a seeded sample of 5,000."""
    inside = np.flatnonzero(label != WITHOUT).astype(np.int32)
    if len(inside) <= MAP_POINTS:
        return inside
    drawn = np.random.default_rng(seed).choice(inside, MAP_POINTS, replace=False)
    return np.sort(drawn)


def _parts(units: FloatMatrix, k: int, seed: int) -> list[NDArray[np.intp]]:
    """The members of each of at most k clusters of unit rows."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    k = min(k, len(np.unique(units.round(5), axis=0)))
    many = len(units) > MINI_BATCH_FROM
    model = MiniBatchKMeans if many else KMeans
    with threadpool_limits(1):
        label = model(k, n_init=1 if many else 3, random_state=seed).fit_predict(units)
    members = (np.flatnonzero(label == number) for number in range(k))
    return [part for part in members if len(part)]


def _joined(groups: Iterable[Cluster]) -> list[Cluster]:
    """Joins the groups of the same words, and all groups without a name."""
    found: dict[frozenset[str], list[Cluster]] = {}
    for group in groups:
        found.setdefault(frozenset(group.words), []).append(group)
    return [
        Cluster(same[0].words, np.concatenate([group.rows for group in same]))
        for same in found.values()
    ]


def _absorbed(groups: Sequence[Cluster], matrix: FloatMatrix, namer: "_Namer") -> list[Cluster]:
    """Joins small groups, and those without a name, to a near large one that keeps its words."""
    large = [group for group in groups if group.words and len(group.rows) >= SMALL]
    small = [group for group in groups if not group.words or len(group.rows) < SMALL]
    if not large:
        return list(groups)
    centres = unit_rows(np.stack([matrix[group.rows].mean(axis=0) for group in large]))
    left = []
    for group in sorted(small, key=lambda one: len(one.rows)):
        nearness = centres @ matrix[group.rows].mean(axis=0)
        for place in np.argsort(-nearness, kind="stable")[:NEAREST].tolist():
            own = large[place]
            union = np.concatenate([own.rows, group.rows])
            if set(own.words) <= set(namer.words(union)):
                large[place] = Cluster(own.words, union)
                break
        else:
            left.append(group)
    return large + left


def _most_typical_first(rows: Rows, matrix: FloatMatrix) -> Rows:
    units = unit_rows(matrix[rows])
    order = np.lexsort((rows, -(units @ units.mean(axis=0))))
    return rows[order]
