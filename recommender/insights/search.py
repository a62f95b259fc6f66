"""Search: the items that fit a few words, by BM25 and by the meaning of the words."""

import logging
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender import registry
from recommender.artifacts.runs import Run, find_run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build, read_catalogue
from recommender.core.api_budget import TextApi
from recommender.core.arrays import FloatMatrix, FloatVector, Rows
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue, clean, documents
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError, ConfigError

MAX_QUERY = 200
WORDS_SHARE = 0.6
NEAR_QUANTILE = 0.99
FORM_WEIGHT, FORM_LETTERS = 0.8, 2
SIMILAR_LEAST, SIMILAR_WORDS = 0.55, 3
LEAST_LETTERS = 3

_WORD = re.compile(r"\w+")

Fit = Literal["words", "meaning", "both"]


def tokens(text: str) -> list[str]:
    """The words and numbers of a text, without case and accents."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True)
class WordIndex:
    """BM25 of n documents by word, with corrections of misspelt words.

    A word of a query also matches its longer and shorter forms (light, lights), with less weight. A
    word that is in no document matches the most similar words by pairs of letters.

    Source: Robertson, Zaragoza 2009, "The probabilistic relevance framework"; by bm25s (Lù 2024).
    """

    words: tuple[str, ...]
    scorer: Any
    grams: sp.csr_array
    vectorizer: Any

    @classmethod
    def of(cls, documents: Sequence[str]) -> "WordIndex | None":
        """Index the documents; None if they have no words."""
        import bm25s
        from sklearn.feature_extraction.text import TfidfVectorizer

        logging.getLogger("bm25s").setLevel(logging.WARNING)
        split = [tokens(document) for document in documents]
        vocabulary = sorted({word for words in split for word in words})
        if not vocabulary:
            return None
        scorer = bm25s.BM25(method="lucene", k1=1.2, b=0.5)
        scorer.index(split, show_progress=False)
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 2), use_idf=False)
        grams = sp.csr_array(vectorizer.fit_transform(vocabulary), dtype=np.float32)
        return cls(tuple(vocabulary), scorer, grams, vectorizer)

    def score(self, query: str) -> FloatVector:
        """The score of each document (n,) for a query, 0 if it has none of its words."""
        total: FloatVector = np.zeros(self.scorer.scores["num_docs"], dtype=np.float32)
        for word in dict.fromkeys(tokens(query)):
            forms = self.meant(word)
            if forms:
                scored = [weight * self.scorer.get_scores([form]) for form, weight in forms.items()]
                total += np.max(scored, axis=0)
        return total

    def understood(self, query: str) -> str:
        """The query with every unknown word replaced by the most similar one."""
        return " ".join(
            word if self._knows(word) else max(meant, key=meant.__getitem__, default=word)
            for word, meant in ((word, self.meant(word)) for word in tokens(query))
        )

    def meant(self, word: str) -> dict[str, float]:
        """The words of the documents that a word of a query matches, with weights up to 1."""
        if self._knows(word):
            return {word: 1.0} | self._forms(word)
        return self._forms(word) or self._most_similar(word)

    def _forms(self, word: str) -> dict[str, float]:
        """Words with the same beginning that differ by at most two letters at the end."""
        if len(word) < LEAST_LETTERS or word.isdigit():
            return {}
        shorter = [word[:-cut] for cut in range(1, FORM_LETTERS + 1)]
        first, last = bisect_left(self.words, word), bisect_right(self.words, f"{word}\U0010ffff")
        found = [form for form in shorter if len(form) >= LEAST_LETTERS and self._knows(form)]
        found += [
            form for form in self.words[first:last] if 0 < len(form) - len(word) <= FORM_LETTERS
        ]
        return dict.fromkeys(found, FORM_WEIGHT)

    def _knows(self, word: str) -> bool:
        place = bisect_left(self.words, word)
        return place < len(self.words) and self.words[place] == word

    def _most_similar(self, word: str) -> dict[str, float]:
        """The words with the most similar pairs of letters, by cosine."""
        if len(word) < LEAST_LETTERS:
            return {}
        similarity = (self.grams @ self.vectorizer.transform([word]).T).toarray()[:, 0]
        best = np.argsort(-similarity, kind="stable")[:SIMILAR_WORDS]
        return {
            self.words[place]: float(similarity[place])
            for place in best.tolist()
            if similarity[place] >= SIMILAR_LEAST
        }


@dataclass(frozen=True, slots=True)
class Filters:
    """Restricts the items to a category (a path or its beginning), to stock, and to a price.

    Items of unknown price are excluded by any price. `hidden` ids are never found.
    """

    category: str = ""
    in_stock: bool = False
    price_max: float = float("inf")
    hidden: Collection[str] = ()

    def allowed(self, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Which rows (n,) may be found."""
        kept = catalogue.for_sale.copy()
        if self.in_stock:
            kept &= catalogue.in_stock
        if np.isfinite(self.price_max):
            kept &= catalogue.price <= self.price_max
        if self.category:
            path = self.category.casefold()
            below = f"{path}{PATH_SEPARATOR}"
            kept &= [
                any(
                    one == path or one.startswith(below)
                    for one in (own.casefold(), *others.casefold().split("\n"))
                )
                for own, others in zip(catalogue.category, catalogue.other_categories, strict=True)
            ]
        kept[[catalogue.ids.row(item) for item in self.hidden if item in catalogue.ids]] = False
        return kept


@dataclass(frozen=True, slots=True)
class Hit:
    """An item found by its words, its meaning or both (`fit`), with a `score` in (0, 1]."""

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
        """The best n items, best first, one per group of variants; an item whose id it is first.

        The score is a weighted mean of BM25, as a share of the best, and of the cosine of text
        vectors. Items without any of the words are found if they are nearer than 99 % of the items.
        A blank query finds nothing.

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
        """Cosine (n,) with the query after corrections."""
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
    """The query. Raises: ConfigError if it is longer than 200 characters."""
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
    words = WordIndex.of(documents(catalogue))
    return Searcher(
        generation, catalogue, text.matrix, words, lambda query: encoder.encode([query], silent)[0]
    )


def searcher_of(store: ArtifactStore, number: int, api: TextApi | None = None) -> Searcher:
    """The searcher of a generation, from the artifacts of its run, with a warm encoder.

    A text encoder of a provider encodes each query through `api`.

    Raises: ArtifactError if an artifact is gone; ConfigError if the text model of this machine is
    not the one that made the vectors.
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
    """Name and choice of the text encoder that encodes queries: the first of the recipe."""
    if "content" not in run.pins:
        raise ArtifactError(f"run {run.id} was made by an earlier version; run reindex")
    for name, table in build.summary["recipe"]["content"].items():
        if table["use"] in registry.TEXT_ENCODERS:
            return name, Choice.from_plain(table)
    raise ConfigError("recipe.content has no text encoder to search with")


def _text(store: ArtifactStore, run: Run) -> Artifact:
    keys = [key for folder, key in run.artifacts if folder == "text"]
    if not keys:
        raise ArtifactError(f"run {run.id} names no text vectors; run reindex")
    return store.require("text", keys[0])
