"""Documents: the text of an item that is embedded."""

import html
import re
import unicodedata

from recommender.core.catalogue import Catalogue

MAX_CHARACTERS = 2_000
FORMAT = 1

_TAG = re.compile(r"<[^<>]{0,200}>")
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """Plain text of a shop's text: no mark-up, control characters, lone surrogates or long runs.

    Composed to NFC and cut to `MAX_CHARACTERS`, so that hostile text costs no more than a long
    description. Idempotent.
    """
    text = text[: 4 * MAX_CHARACTERS]
    if not text.isascii() or "<" in text or "&" in text:
        text = _TAG.sub(" ", html.unescape(text))
        text = unicodedata.normalize("NFC", text)
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            c if unicodedata.category(c) not in {"Cc", "Cf", "Cs"} else " " for c in text
        )
    return _SPACE.sub(" ", text).strip()[:MAX_CHARACTERS].strip()


def documents(catalogue: Catalogue) -> list[str]:
    """One text per item: title, brand, the leaf of the category path, then the description.

    Parts that are empty, or repeat what came before, are left out. An item without any text has an
    empty document.
    """
    rows = zip(
        catalogue.title,
        catalogue.brand,
        catalogue.category,
        catalogue.description,
        strict=True,
    )
    return [_document(*row) for row in rows]


def _document(title: str, brand: str, category: str, description: str) -> str:
    text = ""
    for part in (title, brand, category, description):
        cleaned = clean(part)
        if cleaned and cleaned.casefold() not in text.casefold():
            text = f"{text}. {cleaned}" if text else cleaned
    return text[:MAX_CHARACTERS]
