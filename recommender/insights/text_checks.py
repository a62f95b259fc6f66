"""Wording: titles as words that can be compared."""

import re
import unicodedata

Words = tuple[str, ...]

_WORD = re.compile(r"[^\W_]+")
_BESIDE_A_LETTER = re.compile(r"(?<=\D) | (?=\D)")


def words_of(title: str) -> Words:
    """The words of a title; case, accents and punctuation are ignored."""
    folded = title.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", folded).casefold())
        return tuple("".join(map(_plain, folded)).split())
    return tuple(_WORD.findall(folded))


def run_together(words: Words) -> str:
    """The words without space between them, so `t-light` is `tlight`; numbers stay apart."""
    return _BESIDE_A_LETTER.sub("", " ".join(words))


def spelt_alike(one: str, other: str) -> bool:
    """Whether two words without digits differ in one letter: changed, missing or added."""
    if abs(len(one) - len(other)) > 1 or not (one.isalpha() and other.isalpha()):
        return False
    short, long = sorted((one, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def _plain(character: str) -> str:
    """Letters, digits and the vowel signs that some scripts write as marks; accents go."""
    if character.isalnum():
        return character
    if unicodedata.combining(character):
        return ""
    return character if unicodedata.category(character).startswith("M") else " "
