"""What an item id may be: the one rule that readers, publishers and lookups share."""

import unicodedata

MAX_BYTES = 128


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
