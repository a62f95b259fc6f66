from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from recommender.core.arrays import FloatMatrix
from recommender.core.telemetry import Progress
from recommender.vectors.content.sentence_transformer import SentenceTransformerEncoder
from recommender.vectors.content.static import HashingEncoder
from recommender.vectors.content.vocabulary import advice, script_of, unknown_words

ENGLISH = ["red kettle 4711", "garden hose", "whisk", "bathrobe with colander"]
OTHERS = {
    "Cyrillic": ["стиральная машина", "кухонный нож"],
    "Han": ["不锈钢菜刀", "纯棉毛巾"],
    "Katakana": ["フライパン", "シャワーカーテン"],
    "Arabic": ["سكين الشيف", "مقلاة"],
    "Greek": ["κουζίνα μαχαίρι", "ποτήρι"],
    "Hangul": ["주방칼", "프라이팬"],
    "Thai": ["ครัว", "มีดทำครัว"],
    "Devanagari": ["रसोई", "चाकू"],
    "Hebrew": ["סכין מטבח", "מגבת"],
}


@pytest.mark.model
@pytest.mark.parametrize("script", OTHERS)
def test_the_default_model_does_not_know_other_scripts(script: str) -> None:
    found = unknown_words(SentenceTransformerEncoder(), [*ENGLISH, *OTHERS[script]])
    unknown = {one["script"]: one["unknown"] for one in found}
    assert unknown["Latin"] <= 0.2
    assert unknown[script] >= 0.7
    (line,) = advice("text", found)
    assert script in line
    assert "paraphrase-multilingual-MiniLM-L12-v2" in line


@pytest.mark.model
def test_languages_of_latin_script_are_known() -> None:
    texts = ["Waschmaschine Frontlader", "Küchenmesser", "couteau cuisine poêle", "nóż kuchenny"]
    assert not advice("text", unknown_words(SentenceTransformerEncoder(), texts))


def test_without_a_vocabulary_there_is_nothing_to_say() -> None:
    assert unknown_words(HashingEncoder(), OTHERS["Cyrillic"]) == []


@dataclass(frozen=True)
class Words:
    """Knows the words of one letter."""

    def fingerprint(self) -> str:
        return "words"

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        return np.zeros((len(documents), 1), dtype=np.float32)

    def tokens(self, words: Sequence[str]) -> list[tuple[int, int]]:
        return [(1, int(len(word) > 1)) for word in words]


def test_shares_are_of_all_words_and_rare_scripts_are_not_reported() -> None:
    texts = ["a " * 150 + "bcd " * 49 + "12 --", "я"]
    assert unknown_words(Words(), texts) == [
        {"script": "Latin", "share": 0.995, "unknown": round(49 / 199, 4)}
    ]


def test_the_script_is_that_of_most_letters() -> None:
    assert [script_of(word) for word in ("usb", "泡立て", "пол-L", "ｱｲ", "é1")] == [
        *("Latin", "Han", "Cyrillic", "Halfwidth", "Latin"),
    ]
