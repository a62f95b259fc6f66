"""Links: the page and picture of an item, and the currency of its price, from texts of cells."""

import json
import re
from collections.abc import Sequence

MAX_LINK = 2_000
_FURTHER = re.compile(r"\s*(?:\n|[,;|]\s*(?=[a-z][a-z0-9+.-]*://|//|/))|\s+(?=https?://)", re.I)
_CODE = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_SIGNS = {"\u20ac": "EUR", "\u00a3": "GBP", "\u20b9": "INR", "\u20a9": "KRW", "z\u0142": "PLN"}
"""Signs of one currency alone; that of the dollar has many."""


def links(texts: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """The first URL or path of each text, and what is wrong with those that have none.

    A text may be a list in JSON, or have several between commas, semicolons, bars or spaces.
    Control characters are removed.
    """
    found = [_first(text) for text in texts]
    faults = [
        f"{what} is longer than {MAX_LINK:,} characters" if len(link) > MAX_LINK else ""
        for link in found
    ]
    return ["" if fault else link for link, fault in zip(found, faults, strict=True)], faults


def currencies(texts: Sequence[str], what: str) -> tuple[list[str], list[str]]:
    """The ISO 4217 code of each text, such as `EUR` or `9.99 USD`, and what is wrong with others.

    A text of a number alone has none, and nothing is wrong with it.
    """
    found = [_currency(text) for text in texts]
    faults = [
        f"{what} is no ISO 4217 code such as EUR" if text and not code and _says(text) else ""
        for text, code in zip(texts, found, strict=True)
    ]
    return found, faults


def _first(text: str) -> str:
    if text.startswith("["):
        try:
            several = json.loads(text)
        except ValueError:
            several = []
        text = next((one for one in several if isinstance(one, str) and one), text)
    first = _FURTHER.split(text.strip(), maxsplit=1)[0]
    return "".join(c for c in first if c.isprintable()).strip()


def _currency(text: str) -> str:
    code = _CODE.search(text if any(c.islower() for c in text) and len(text) > 3 else text.upper())
    if code:
        return code[0]
    return next((name for sign, name in _SIGNS.items() if sign in text), "")


def _says(text: str) -> bool:
    """Whether a text has more than a number."""
    return any(c.isalpha() or not (c.isascii() or c.isspace()) for c in text) or "$" in text
