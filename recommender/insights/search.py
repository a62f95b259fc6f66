"""Search: from a few words to the items that fit them, by words and by meaning."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.artifacts.runs import Run, find_run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build, read_catalogue
from recommender.core.api_budget import TextApi
from recommender.core.arrays import FloatMatrix, FloatVector, Rows
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue
from recommender.core.documents import clean, documents
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, ConfigError
from recommender.insights.word_index import WordIndex

MAX_QUERY = 200
WORDS_SHARE = 0.6
NEAR_QUANTILE = 0.99

Fit = Literal["words", "meaning", "both"]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which items may be found: of a category (a path or its beginning), in stock, not dearer.

    An item of unknown price is not below any price. `hidden` ids are never found.
    """

    category: str = ""
    in_stock: bool = False
    price_max: float = float("inf")
    hidden: Collection[str] = ()

    def allowed(self, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Which rows (n,) may be found."""
        kept = np.ones(len(catalogue), dtype=bool)
        if self.in_stock:
            kept &= catalogue.in_stock
        if np.isfinite(self.price_max):
            kept &= catalogue.price <= self.price_max
        if self.category:
            path = self.category.casefold()
            below = f"{path}{PATH_SEPARATOR}"
            kept &= [
                one == path or one.startswith(below)
                for one in map(str.casefold, catalogue.category)
            ]
        kept[[catalogue.ids.row(item) for item in self.hidden if item in catalogue.ids]] = False
        return kept


@dataclass(frozen=True, slots=True)
class Hit:
    """A found item; `score` is in (0, 1], `fit` says whether words, meaning or both brought it."""

    item: str
    title: str
    score: float
    fit: Fit


@dataclass(frozen=True, slots=True)
class Searcher:
    """The catalogue and vectors of one generation, ready to be searched.

    `encode` makes the unit vector (d,) of a query by the text encoder that made `matrix` (n, d).
    """

    generation: int
    catalogue: Catalogue
    matrix: FloatMatrix
    word_index: WordIndex | None
    encode: Callable[[str], FloatVector]

    def find(self, query: str, n: int, filters: Filters | None = None) -> list[Hit]:
        """The best n items, best first; one per group of variants, an item named by its id first.

        The score is a mean of BM25, as a share of the best, and of the cosine of text vectors.
        What has none of the words is found where it is nearer than 99 % of the items. Nothing is
        found for a blank query.

        Raises: ConfigError for a query of more than 200 characters, or n below 1.
        """
        text = clean(checked(query))
        if n < 1:
            raise ConfigError(f"n = {n}: ask for at least 1")
        if not text:
            return []
        words, meaning = self._words(text), self._meaning(text)
        score = WORDS_SHARE * words + (1 - WORDS_SHARE) * meaning
        near = (meaning > 0) & (meaning >= np.quantile(meaning, NEAR_QUANTILE))
        kept = ((words > 0) | near) & (filters or Filters()).allowed(self.catalogue)
        if text in self.catalogue.ids:
            score[self.catalogue.ids.row(text)] = 1.0
            kept[self.catalogue.ids.row(text)] |= filters is None
        rows = self._one_per_group(np.flatnonzero(kept).astype(np.int32), score, n)
        return [self._hit(row, score, words, near) for row in rows.tolist()]

    def _words(self, text: str) -> FloatVector:
        """BM25 (n,) as a share of the best item's."""
        if self.word_index is None:
            return np.zeros(len(self.catalogue), dtype=np.float32)
        scored = self.word_index.score(text)
        best = float(scored.max(initial=0))
        return scored / np.float32(best) if best > 0 else scored

    def _meaning(self, text: str) -> FloatVector:
        """Cosine (n,) of the query as it is understood."""
        understood = text if self.word_index is None else self.word_index.understood(text)
        nearness: FloatVector = self.matrix @ self.encode(understood or text)
        return nearness

    def _one_per_group(self, rows: Rows, score: FloatVector, n: int) -> Rows:
        """The best n of the rows, only the first of each group."""
        ordered = rows[np.lexsort((rows, -score[rows]))]
        _, first = np.unique(self.catalogue.group_codes[ordered], return_index=True)
        return ordered[np.sort(first)[:n]]

    def _hit(
        self, row: int, score: FloatVector, words: FloatVector, near: NDArray[np.bool_]
    ) -> Hit:
        fit: Fit = "both" if words[row] and near[row] else "words" if words[row] else "meaning"
        shown = min(1.0, max(1e-4, float(score[row])))
        return Hit(self.catalogue.ids.ids[row], self.catalogue.title[row], round(shown, 4), fit)


def checked(query: str) -> str:
    """The query. Raises: ConfigError where it is longer than 200 characters."""
    if len(query) > MAX_QUERY:
        raise ConfigError(f"query: {len(query)} characters; at most {MAX_QUERY} are searched")
    return query


def searcher(
    generation: int,
    catalogue: Catalogue,
    text: Embeddings,
    choice: Choice,
    api: TextApi | None = None,
) -> Searcher:
    """Make a catalogue with its text embeddings searchable, by the encoder that made them."""
    encoder = registry.text_encoder(choice, api)

    def encode(query: str) -> FloatVector:
        vector: FloatVector = encoder.encode([query], silent)[0]
        return vector

    return Searcher(generation, catalogue, text.matrix, WordIndex.of(documents(catalogue)), encode)


def searcher_of(store: ArtifactStore, number: int, api: TextApi | None = None) -> Searcher:
    """The searcher of a generation, from the artifacts of its run; the encoder is warmed up.

    Where the text encoder asks a provider, each query is asked through `api`.

    Raises: ArtifactError where they are no longer there; ConfigError where this machine's text
    model is not the one that made its vectors.
    """
    run = find_run(store, number)
    if run is None:
        raise ArtifactError(f"there is no record of the run of generation {number}; run reindex")
    build = find_build(store, run.build)
    name, choice = _text_choice(build, run)
    found, pinned = registry.text_encoder(choice, api).fingerprint(), run.pins["content"][name]
    if found != pinned:
        raise ConfigError(
            f"recipe.content.{name}: the model here is {found:.60}, generation {number} was made "
            f"by {pinned:.60}; run reindex"
        )
    text = Embeddings.from_columns(_text(store, run).columns())
    made = searcher(number, read_catalogue(store, build), text, choice, api)
    made.find("warm up", 1)
    return made


def _text_choice(build: Artifact, run: Run) -> tuple[str, Choice]:
    """Name and choice of the text encoder by which is searched: the first of the recipe."""
    if "content" not in run.pins:
        raise ArtifactError(f"run {run.id} was made by an earlier version; run reindex")
    tables: Mapping[str, Mapping[str, Any]] = build.summary["recipe"]["content"]
    for name, table in tables.items():
        if table["use"] in registry.TEXT_ENCODERS:
            parameters = {key: value for key, value in table.items() if key != "use"}
            return name, Choice(table["use"], parameters)
    raise ConfigError("recipe.content has no text encoder to search with")


def _text(store: ArtifactStore, run: Run) -> Artifact:
    keys: Sequence[str] = [key for folder, key in run.artifacts if folder == "text"]
    if not keys:
        raise ArtifactError(f"run {run.id} names no text vectors; run reindex")
    return store.require("text", keys[0])
