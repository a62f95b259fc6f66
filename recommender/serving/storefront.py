"""The storefront of a shop: what its pages need besides lists and records.

A generation that has one holds it as a JSON object beside its records (docs/redis-contract.md):
headings of placements, languages, how sessions weigh, new items to explore, terms of bundles.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from recommender.core.languages import TAG, language_of

DECAY = 0.8
"""How much each moment of a session counts of the one after it, as rankers of `next` learn."""
MIN_SCORE = 0.05
"""What two items of a bundle score at least, where the merchandisers do not say."""
BOUGHT_TOGETHER = "bought_together"
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BundleTerms:
    """Any two items of a bundle score at least `min_score` in the lists of a `placement`.

    `discount` is a share of the price; that of the deepest of `categories` that has the bundle's
    first item counts instead.
    """

    placement: str = BOUGHT_TOGETHER
    min_score: float = MIN_SCORE
    discount: float = 0.0
    categories: Mapping[str, float] = field(default_factory=dict)

    def discount_of(self, paths: Sequence[str], separator: str = " > ") -> float:
        """The discount of an item that is in these categories; the highest of the deepest."""
        found = (0, self.discount)
        for path in paths:
            parts = path.split(separator)
            for depth in range(1, len(parts) + 1):
                share = self.categories.get(separator.join(parts[:depth]))
                if share is not None:
                    found = max(found, (depth, share))
        return found[1]


@dataclass(frozen=True, slots=True)
class Storefront:
    """What pages need; every part may be missing.

    `headings` are texts by placement and language, "" for the text without a language. `language`
    is that of the titles, `languages` those of further titles and headings. Events of a session
    weigh by `kinds` and `decay`. In a placement, a share `explore` of the positions goes to
    `new_items`, which are ids by the first part of their category.
    """

    headings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    language: str = ""
    languages: tuple[str, ...] = ()
    decay: float = DECAY
    kinds: Mapping[str, float] = field(default_factory=dict)
    leave_out_bought: bool = True
    explore: Mapping[str, float] = field(default_factory=dict)
    new_items: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bundles: BundleTerms = field(default_factory=BundleTerms)

    def language_for(self, preferred: str) -> str:
        """The language that a visitor prefers, of those that the shop has."""
        if not self.languages:
            return self.language
        return language_of(preferred, self.languages, self.language)

    def heading(self, placement: str, language: str) -> str:
        """The heading of a placement, in the shop's own language where there is no other."""
        texts = self.headings.get(placement, NOTHING)
        return str(texts.get(language) or texts.get(self.language) or texts.get("") or "")


NO_STOREFRONT = Storefront()


def decode_storefront(raw: object) -> Storefront:
    """The storefront as it is stored; parts that later versions add are ignored.

    Raises: ValueError where it is malformed.
    """
    try:
        return _decoded(json.loads(raw) if isinstance(raw, bytes) else None)
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        raise ValueError(f"storefront: malformed {raw!r:.140}") from error


def _decoded(value: Any) -> Storefront:  # noqa: ANN401 - whatever JSON holds
    if value["id"] != "":
        raise ValueError(f"storefront: malformed, it is that of {value['id']!r:.60}")
    sessions, terms = value.get("sessions", {}), value.get("bundles", {})
    return Storefront(
        headings={name: _texts(texts) for name, texts in value.get("headings", {}).items()},
        language=_tag(value.get("language", "")),
        languages=tuple(_tag(one) for one in value.get("languages", [])),
        decay=_share(sessions.get("decay", DECAY)),
        kinds={kind: _number(weight) for kind, weight in sessions.get("kinds", {}).items()},
        leave_out_bought=bool(sessions.get("leave_out_bought", True)),
        explore={name: _share(share) for name, share in value.get("explore", {}).items()},
        new_items={top: _ids(items) for top, items in value.get("new_items", {}).items()},
        bundles=BundleTerms(
            _text(terms.get("placement", BOUGHT_TOGETHER)),
            _share(terms.get("min_score", MIN_SCORE)),
            _share(terms.get("discount", 0.0)),
            {path: _share(share) for path, share in terms.get("categories", {}).items()},
        ),
    )


def _texts(value: Mapping[str, object]) -> dict[str, str]:
    return {name: _text(text) for name, text in value.items()}


def _ids(value: Sequence[object]) -> tuple[str, ...]:
    return tuple(_text(one) for one in value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _tag(value: object) -> str:
    text = _text(value)
    if text and not TAG.fullmatch(text):
        raise TypeError("a language tag is expected")
    return text


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
        raise TypeError("a number from 0 on is expected")
    return float(value)


def _share(value: object) -> float:
    number = _number(value)
    if number > 1:
        raise TypeError("a share is expected")
    return number
