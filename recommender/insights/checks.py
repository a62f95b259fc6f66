"""Checks of lint: findings in titles, prices and lists that a person should look at."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from recommender.core.catalogue import PATH_SEPARATOR, Catalogue
from recommender.core.lists import RelatedLists, ranks_of
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE

Words = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+")
_SPACE_AT_LETTER = re.compile(r"(?<=\D) | (?=\D)")

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "no-title": "nothing to read in the title",
        "placeholder": "a title that is a placeholder",
        "odd-case": "not in capitals, unlike the other titles",
        "boilerplate": "begins or ends like many other titles",
        "same-title": "other ids have the same title",
        "near-duplicate": "almost the same text under another id",
        "ungrouped-variant": "differs in one word from an item of no common group",
        "price": "zero, negative or far from similar items",
        "no-events": "never bought or viewed",
        "hub": "in far more lists than other items",
        "orphan": "in no list",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding about the item in `row`; `other` is an item to compare it with."""

    kind: str
    row: int
    detail: str
    other: int = NONE


LONGEST_AFFIX = 6
AFFIX_SHARE, AFFIX_SHARE_OF_ONE_WORD = 0.2, 0.8
FEWEST_TITLES = 20
PLACEHOLDER_ITEMS = 3
CAPITALS_SHARE = 0.98


def title_findings(catalogue: Catalogue, words: Sequence[Words]) -> Iterator[Finding]:
    """Titles without words, placeholders, boilerplate, and titles of an unusual case.

    No word list of any language is used: placeholders and boilerplate are found by their frequency
    in the catalogue.
    """
    for row, title in enumerate(catalogue.title):
        if not words[row]:
            yield Finding("no-title", row, f"the title is {title!r:.40}" if title else "empty")
    yield from _placeholders(catalogue, words)
    yield from _boilerplate(words)
    yield from _odd_case(catalogue.title)


def _placeholders(catalogue: Catalogue, words: Sequence[Words]) -> Iterator[Finding]:
    """Titles that are the item's id, or that several items share with words found nowhere else."""
    titles = Counter(words)
    occurrences = Counter(word for title in titles for word in set(title))
    for row, title in enumerate(words):
        if not title:
            continue
        if title == title_words(catalogue.ids.ids[row]):
            yield Finding("placeholder", row, "the title is the item's id")
        elif titles[title] >= PLACEHOLDER_ITEMS and all(occurrences[word] == 1 for word in title):
            yield Finding(
                "placeholder",
                row,
                f"{titles[title]:,} items are called this, and no other title has its words",
            )


def _boilerplate(words: Sequence[Words]) -> Iterator[Finding]:
    """Titles that begin or end like a fifth of all titles (four fifths if it is one word)."""
    known = [title for title in words if title]
    if len(known) < FEWEST_TITLES:
        return
    for verb, flipped in (("begins", False), ("ends", True)):
        turned = [title[::-1] if flipped else title for title in words]
        affix = _common_affix(turned, len(known))
        if not affix:
            continue
        text = " ".join(affix[::-1] if flipped else affix)
        share = sum(_has(title, affix) for title in turned) / len(known)
        for row, title in enumerate(turned):
            if _has(title, affix):
                detail = f"{verb} with {text!r}, as {share:.0%} of the titles do"
                yield Finding("boilerplate", row, detail)


def _common_affix(turned: Sequence[Words], n_titles: int) -> Words:
    """The longest beginning, followed by other words, that enough titles share; else empty."""
    for length in range(LONGEST_AFFIX, 0, -1):
        shared = Counter(title[:length] for title in turned if len(title) > length)
        wanted = AFFIX_SHARE if length > 1 else AFFIX_SHARE_OF_ONE_WORD
        affix, count = max(shared.items(), key=lambda pair: pair[1], default=((), 0))
        if count >= wanted * n_titles:
            return affix
    return ()


def _has(title: Words, affix: Words) -> bool:
    return len(title) > len(affix) and title[: len(affix)] == affix


def _odd_case(titles: Sequence[str]) -> Iterator[Finding]:
    """Titles in lower case where nearly all are in capitals: often a note or a service."""
    upper = [_in_capitals(title) for title in titles]
    cased = [one for one in upper if one is not None]
    if len(cased) < FEWEST_TITLES or sum(cased) < CAPITALS_SHARE * len(cased):
        return
    share = sum(cased) / len(cased)
    for row, capitals in enumerate(upper):
        if capitals is False:
            yield Finding("odd-case", row, f"{share:.1%} of the titles are in capitals")


def _in_capitals(title: str) -> bool | None:
    """Whether most letters are capitals; None if no letter has a case."""
    upper = sum(character.isupper() for character in title)
    lower = sum(character.islower() for character in title)
    return upper > lower if upper + lower else None


ENOUGH = 10
FAR_Z, FAR_FACTOR, PAIR_FACTOR = 4.5, 5.0, 10.0
NORMAL = 1.4826
LEAST_SPREAD = 0.15


def price_findings(
    catalogue: Catalogue, duplicates: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    """Prices that are not positive, far from those of their category, or ten times a duplicate's.

    A price is far off if its robust z-score is above 4.5 (the distance of the log price from the
    median, in units of 1.4826 times the median distance) and it differs by a factor of five. The
    category is the deepest part of the path with ten prices, or else the whole shop. An unknown
    price is no finding.
    """
    price = np.asarray(catalogue.price, dtype=np.float64)
    for row in np.flatnonzero(price <= 0).tolist():
        yield Finding("price", row, f"the price is {price[row]:,.2f}")
    logs = np.log(np.where(price > 0, price, np.nan))
    far_off = list(_far_off(catalogue, logs))
    yield from far_off
    reported = {finding.row for finding in far_off}
    for pair in duplicates:
        low, high = sorted(pair, key=lambda row: price[row])
        far = price[low] > 0 and price[high] / price[low] >= PAIR_FACTOR
        if far and high not in reported:
            reported.add(high)
            detail = _compared(price[high], price[low], "its duplicate costs")
            yield Finding("price", high, detail, low)


def _far_off(catalogue: Catalogue, logs: NDArray[np.float64]) -> Iterator[Finding]:
    """Prices far from those of their category, by the deepest part of the path with enough."""
    priced = np.flatnonzero(np.isfinite(logs)).tolist()
    undecided = set(priced)
    paths = [category.split(PATH_SEPARATOR) if category else [] for category in catalogue.category]
    deepest = max((len(path) for path in paths), default=0)
    for depth in range(deepest, -1, -1):
        members: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in priced:
            if len(paths[row]) >= depth:
                members[tuple(paths[row][:depth])].append(row)
        for path, rows in members.items():
            judged = undecided.intersection(rows)
            if len(rows) < ENOUGH or not judged:
                continue
            undecided -= judged
            yield from _outliers(logs, rows, judged, path[-1] if path else "the shop")


def _outliers(
    logs: NDArray[np.float64], rows: list[int], judged: set[int], category: str
) -> Iterator[Finding]:
    centre = float(np.median(logs[rows]))
    spread = max(NORMAL * float(np.median(np.abs(logs[rows] - centre))), LEAST_SPREAD)
    for row in sorted(judged):
        distance = abs(float(logs[row]) - centre)
        if distance > FAR_Z * spread and distance >= np.log(FAR_FACTOR):
            price, median = float(np.exp(logs[row])), float(np.exp(centre))
            yield Finding("price", row, _compared(price, median, f"half of {category} costs up to"))


def _compared(price: float, usual: float, what: str) -> str:
    factor = price / usual
    times = f"{factor:,.0f} times" if factor >= 1 else f"1/{1 / factor:,.0f} of"
    return f"{price:,.2f}, {times} what is usual: {what} {usual:,.2f}"


HUB_SHARE, HUB_FACTOR = 0.02, 20.0
_POPULAR = EVIDENCE.index("popular")


def list_findings(lists: RelatedLists, catalogue: Catalogue, shown: int) -> Iterator[Finding]:
    """Hubs among the first `shown` entries, and items in stock that are in no list.

    A hub is in 2 % of the lists and in twenty times as many as the mean item. Best sellers that
    fill up short lists do not count.
    """
    entries = lists.entries
    own = entries.evidence != _POPULAR
    n_items = len(lists)
    seen = np.bincount(entries.rows[own & (ranks_of(lists.sizes) < shown)], minlength=n_items)
    usual = max(float(seen.mean()), 1e-9)
    for row in np.flatnonzero(seen >= max(HUB_SHARE * n_items, HUB_FACTOR * usual)).tolist():
        detail = f"in {seen[row]:,} lists ({seen[row] / n_items:.0%}), the mean is {usual:.0f}"
        yield Finding("hub", row, f"{lists.placement}: {detail}")
    listed = np.bincount(entries.rows, minlength=n_items) > 0
    for row in np.flatnonzero(~listed & catalogue.in_stock).tolist():
        yield Finding("orphan", row, f"{lists.placement}: in no list")


def unseen(support: NDArray[np.float32], catalogue: Catalogue, newest: int) -> Iterator[Finding]:
    """Items that nobody bought or viewed, except those that are on sale only after `newest`."""
    waiting = catalogue.available_from > newest
    for row in np.flatnonzero((support == 0) & ~waiting).tolist():
        yield Finding("no-events", row, "no event that counts")


def title_words(title: str) -> Words:
    """The words of a title, without case, accents and punctuation."""
    folded = title.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", folded).casefold())
        return tuple("".join(map(_plain, folded)).split())
    return tuple(_WORD.findall(folded))


def run_together(words: Words) -> str:
    """The words joined without spaces, so that `t-light` is `tlight`; numbers stay separate."""
    return _SPACE_AT_LETTER.sub("", " ".join(words))


def spelt_alike(one: str, other: str) -> bool:
    """Whether two words without digits differ in one letter, changed, missing or added."""
    if abs(len(one) - len(other)) > 1 or not (one.isalpha() and other.isalpha()):
        return False
    short, long = sorted((one, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def _plain(character: str) -> str:
    """Letters, digits, and vowel signs that are marks in some scripts; accents are removed."""
    if character.isalnum():
        return character
    if unicodedata.combining(character):
        return ""
    return character if unicodedata.category(character).startswith("M") else " "
