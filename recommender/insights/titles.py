"""Titles that say nothing of their item."""

from collections import Counter
from collections.abc import Iterator, Sequence

from recommender.core.catalogue import Catalogue
from recommender.insights.finding import Finding
from recommender.insights.text_checks import Words, words_of

LONGEST_AFFIX = 6
AFFIX_SHARE, AFFIX_SHARE_OF_ONE_WORD = 0.2, 0.8
FEWEST_TITLES = 20
PLACEHOLDER_ITEMS = 3
CAPITALS_SHARE = 0.98


def title_findings(catalogue: Catalogue, words: Sequence[Words]) -> Iterator[Finding]:
    """Titles without words, placeholders, and what many titles begin or end with.

    No list of words of any language is used: what is a placeholder or an ornament shows in the
    catalogue itself.
    """
    for row, title in enumerate(catalogue.title):
        if not words[row]:
            yield Finding("no-title", row, f"the title is {title!r:.40}" if title else "empty")
    yield from _placeholders(catalogue, words)
    yield from _boilerplate(words)
    yield from _odd_case(catalogue.title)


def _placeholders(catalogue: Catalogue, words: Sequence[Words]) -> Iterator[Finding]:
    """Titles that are the item's id, or one of several whose words stand in no other title."""
    titles = Counter(words)
    standing = Counter(word for title in titles for word in set(title))
    for row, title in enumerate(words):
        if not title:
            continue
        if title == words_of(catalogue.ids.ids[row]):
            yield Finding("placeholder", row, "the title is the item's id")
        elif titles[title] >= PLACEHOLDER_ITEMS and all(standing[word] == 1 for word in title):
            yield Finding(
                "placeholder",
                row,
                f"{titles[title]:,} items are called this, and no other title has its words",
            )


def _boilerplate(words: Sequence[Words]) -> Iterator[Finding]:
    """Titles that begin or end as a fifth of all do, or four of five where it is one word."""
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
    """The longest beginning that enough titles share and have something behind, none: empty."""
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
    """Titles in small letters where nearly all are in capitals: often a note, not an item."""
    upper = [_in_capitals(title) for title in titles]
    cased = [one for one in upper if one is not None]
    if len(cased) < FEWEST_TITLES or sum(cased) < CAPITALS_SHARE * len(cased):
        return
    share = sum(cased) / len(cased)
    for row, one in enumerate(upper):
        if one is False:
            yield Finding("odd-case", row, f"{share:.1%} of the titles are in capitals")


def _in_capitals(title: str) -> bool | None:
    """Whether most letters are capitals; None where there are no letters with a case."""
    upper = sum(character.isupper() for character in title)
    lower = sum(character.islower() for character in title)
    return upper > lower if upper + lower else None
