"""The language of an answer: what a visitor prefers, among what a shop has."""

import re
from collections.abc import Sequence
from functools import lru_cache

MAX_CHARACTERS, MAX_RANGES = 200, 20
"""Of a list of preferences; what is longer is not looked at."""
TAG = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
"""A language tag, such as de or pt-BR (RFC 5646, as far as a list of preferences needs it)."""
_QUALITY = re.compile(r"[qQ]\s*=\s*(0(\.[0-9]{0,3})?|1(\.0{0,3})?)")
ANY = "*"


@lru_cache(1024)
def preferences(text: str) -> tuple[tuple[str, float], ...]:
    """The ranges of an `Accept-Language` list with their quality, best first (RFC 9110, 12.5.4).

    `de-AT` alone is a list of one. A part that is malformed is left out.
    """
    found = []
    for part in text[:MAX_CHARACTERS].split(",")[:MAX_RANGES]:
        name, mark, parameter = (one.strip() for one in part.partition(";"))
        quality = _QUALITY.fullmatch(parameter) if mark else None
        if (name == ANY or TAG.fullmatch(name)) and bool(mark) == bool(quality):
            found.append((name.casefold(), float(quality[1]) if quality else 1.0))
    return tuple(sorted(found, key=lambda one: -one[1]))


def language_of(text: str, languages: Sequence[str], default: str) -> str:
    """That of `languages` which a list of preferences wants most, else the default.

    A range matches a language that it begins with or that begins with it: `de-AT` takes `de`, and
    `de` takes `de-AT`; the longest match counts. `*` means the default.
    """
    wanted = preferences(text)
    known = {one.casefold(): one for one in (*languages, default) if one}
    barred = {name for name, quality in wanted if quality == 0}
    for name, quality in wanted:
        if quality == 0:
            continue
        if name == ANY:
            return default
        parts = name.split("-")
        for length in range(len(parts), 0, -1):
            beginning = "-".join(parts[:length])
            near = [one for one in known if one.startswith(f"{beginning}-")]
            for match in (beginning, *sorted(near)):
                if match in known and match not in barred:
                    return known[match]
    return default
