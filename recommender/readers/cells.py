"""Cells: values of databases and spreadsheets as the texts that all tables are read as."""

import json
import math
from datetime import date, datetime, time
from decimal import Decimal

from recommender.errors import DataError
from recommender.readers.lines import MAX_LINE, is_unicode


def cell_text(value: object) -> str | None:
    """A value as text, None where it is missing.

    Numbers are plain decimals, times ISO 8601 with their offset, truth values `true` and `false`,
    bytes UTF-8, and lists and objects JSON. Raises: DataError with what is wrong.
    """
    if value is None:
        return None
    text = value if isinstance(value, str) else _text(value)
    if text is not None and len(text) > MAX_LINE:
        raise DataError(f"a text longer than {MAX_LINE:,} characters")
    if text is not None and not is_unicode(text):
        raise DataError("a lone surrogate; store text as UTF-8")
    return text


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError as error:
            raise DataError(
                "bytes that are not UTF-8 text; store or select them as text"
            ) from error
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _number(value: float | Decimal) -> str | None:
    if not math.isfinite(value):
        return None
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)
