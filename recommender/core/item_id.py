"""What an item id may be: the one rule that readers, publishers and lookups share."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import cast

MAX_BYTES = 128
_AT_ONCE = 500
"""How many values are looked at as one text, so that few odd ones cost little."""


def fault(value: object) -> str | None:
    """Say what is wrong with `value` as an item id, or None where it is one.

    An item id is text of 1 to 128 bytes in UTF-8 without control characters or lone surrogates.
    It is case-sensitive and never normalised: `007`, `7`, `A` and `a` are four ids.
    """
    if not isinstance(value, str):
        return f"not text but {type(value).__name__}"
    if not value:
        return "empty"
    if len(value) > MAX_BYTES:
        return f"longer than {MAX_BYTES} bytes"
    if value.isascii():
        return None if value.isprintable() else "a control character in it"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "not UTF-8"
    if size > MAX_BYTES:
        return f"longer than {MAX_BYTES} bytes"
    if any(unicodedata.category(character) == "Cc" for character in value):
        return "a control character in it"
    return None


def faults(values: Sequence[object]) -> Iterator[tuple[int, str]]:
    """The places of values that are no item ids, and what is wrong with each."""
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        if not _printable_ascii(part):
            for place, value in enumerate(part, start):
                if reason := fault(value):
                    yield place, reason


def _printable_ascii(values: Sequence[object]) -> bool:
    """Whether all are item ids of the usual kind, which is seen without a look at each."""
    if set(map(type, values)) != {str}:
        return False
    texts = cast("Sequence[str]", values)
    joined = "".join(texts)
    sized = all(texts) and max(map(len, texts)) <= MAX_BYTES
    return sized and joined.isascii() and joined.isprintable()
