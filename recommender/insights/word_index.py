"""Word index: BM25 over the words of all documents, with corrections of misspelt words."""

import logging
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import FloatVector

MEANT, MEANT_WORDS = 0.55, 3
VARIANT, VARIANT_LETTERS = 0.8, 2
LEAST_LETTERS = 3

_WORD = re.compile(r"\w+")


def tokens(text: str) -> list[str]:
    """The words and numbers of a text, without case and accents."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _WORD.findall(text.casefold())


@dataclass(frozen=True, slots=True)
class WordIndex:
    """BM25 of n documents by word.

    A word of a query also matches its longer and shorter forms (light, lights), with less weight. A
    word that no document has matches the most similar words by pairs of letters.

    Source: Robertson, Zaragoza 2009, "The probabilistic relevance framework"; by bm25s (Lù 2024).
    """

    words: tuple[str, ...]
    scorer: Any
    grams: sp.csr_array
    vectorizer: Any

    @classmethod
    def of(cls, documents: Sequence[str]) -> "WordIndex | None":
        """Index the documents; None if they have no word at all."""
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
        shorter = [word[:-cut] for cut in range(1, VARIANT_LETTERS + 1)]
        found = [form for form in shorter if len(form) >= LEAST_LETTERS and self._knows(form)]
        return dict.fromkeys([*found, *self._longer(word)], VARIANT)

    def _longer(self, word: str) -> list[str]:
        first = bisect_left(self.words, word)
        last = bisect_right(self.words, f"{word}\U0010ffff")
        return [
            form for form in self.words[first:last] if 0 < len(form) - len(word) <= VARIANT_LETTERS
        ]

    def _knows(self, word: str) -> bool:
        place = bisect_left(self.words, word)
        return place < len(self.words) and self.words[place] == word

    def _most_similar(self, word: str) -> dict[str, float]:
        """The words with the most similar pairs of letters, by cosine."""
        if len(word) < LEAST_LETTERS:
            return {}
        similarity = (self.grams @ self.vectorizer.transform([word]).T).toarray()[:, 0]
        best = np.argsort(-similarity, kind="stable")[:MEANT_WORDS]
        return {
            self.words[place]: float(similarity[place])
            for place in best.tolist()
            if similarity[place] >= MEANT
        }
