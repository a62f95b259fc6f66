"""Vocabulary: which words of a shop a text model does not know, by their script.

A model that was trained on one language reads the words of other scripts letter by letter, or as
unknown: all such texts have nearly the same vector.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from recommender.core.protocols import TextEncoder, VocabularyEncoder

SAMPLE = 2_000
LEAST_SHARE, TOO_MANY = 0.01, 0.5
"""The least share of words in a script, and of unknown ones among them, that is reported."""
INSTEAD = (
    'use a multilingual model (model = "paraphrase-multilingual-MiniLM-L12-v2"), vectors of your '
    'own words (recommender train-words), or use = "hashing"; see docs/text-encoders.md'
)
LETTERS_PER_TOKEN: Mapping[str, float] = MappingProxyType(
    {"Han": 0.0, "Hangul": 0.9, "Hiragana": 1.0, "Katakana": 1.0}
)
"""Words of at most so many letters per token are spelt, not known; 1.4 in other scripts."""
OTHERS = 1.4
SPELT_LETTERS = 3


def unknown_words(encoder: TextEncoder, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The scripts of a sample of texts, and the shares of words that the encoder does not know.

    Each has its `share` of all words, and the share of these that is `unknown`; the most frequent
    script comes first. Empty where the encoder has no vocabulary.
    """
    if not isinstance(encoder, VocabularyEncoder):
        return []
    words = Counter(
        word
        for text in texts[:: max(1, len(texts) // SAMPLE)]
        for word in text.split()
        if any(map(str.isalpha, word))
    )
    tokens = encoder.tokens(list(words))
    total, unknown = Counter[str](), Counter[str]()
    for (word, count), (n_tokens, n_unknown) in zip(words.items(), tokens, strict=True):
        script = script_of(word)
        total[script] += count
        unknown[script] += count * _is_unknown(word, script, n_tokens, n_unknown)
    return [
        {
            "script": script,
            "share": round(count / total.total(), 4),
            "unknown": round(unknown[script] / count, 4),
        }
        for script, count in total.most_common()
        if count >= LEAST_SHARE * total.total()
    ]


def advice(name: str, scripts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What to say of the encoder of a content origin, a line per script that it cannot read."""
    return [
        f"content.{name}: the text model does not know {one['unknown']:.0%} of the words in "
        f"{one['script']} script, which are {one['share']:.0%} of all words; {INSTEAD}"
        for one in scripts
        if one["unknown"] >= TOO_MANY
    ]


def script_of(word: str) -> str:
    """The script of most letters of a word, such as Latin, Han or Cyrillic."""
    found: dict[str, int] = defaultdict(int)
    for letter in filter(str.isalpha, word):
        name = "LATIN" if letter.isascii() else unicodedata.name(letter, "OTHER").split()[0]
        found["Han" if name.startswith("CJK") else name.capitalize()] += 1
    return max(found, key=lambda script: found[script])


def _is_unknown(word: str, script: str, n_tokens: int, n_unknown: int) -> bool:
    letters = sum(c.isalnum() or unicodedata.category(c).startswith("M") for c in word)
    spelt = letters <= LETTERS_PER_TOKEN.get(script, OTHERS) * n_tokens
    return 2 * n_unknown >= max(n_tokens, 1) or (letters >= SPELT_LETTERS and spelt)
