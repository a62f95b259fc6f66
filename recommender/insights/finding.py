"""Finding: one thing about one item that a person should look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from recommender.core.neighbours import NONE

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "no-title": "nothing to read in the title",
        "placeholder": "a title that stands for none",
        "odd-case": "not in capitals, as the other titles are",
        "boilerplate": "words that many titles begin or end with",
        "same-title": "other ids with the same title",
        "near-duplicate": "almost the same text under another id",
        "ungrouped-variant": "differs in one word, but in no group with it",
        "price": "zero, negative or far off its like",
        "no-events": "never bought or seen",
        "hub": "in far more lists than others",
        "orphan": "in nobody's list",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of the item in `row`; `other` is the item that it is compared with."""

    kind: str
    row: int
    detail: str
    other: int = NONE
