"""Checks of the settings of a source; each raises ValueError naming the setting and the remedy."""

import codecs
import math
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

EPOCH = "epoch"
MAX_KINDS = 127
_PROBE = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def require(holds: bool, name: str, value: object, remedy: str) -> None:
    """Refuse a value where the condition does not hold."""
    if not holds:
        raise ValueError(f"{name} {value!r:.100}: {remedy}")


def require_paths(files: tuple[str, ...]) -> None:
    """Refuse empty and repeated file names."""
    require(all(files), "path", files, "leave empty names out")
    require(len(set(files)) == len(files), "path", files, "name a file once")


def require_weights(weights: dict[str, float]) -> None:
    """Refuse weights that are negative, infinite or not a number, and kinds without a name."""
    require(0 < len(weights) <= MAX_KINDS, "weights", weights, f"give 1 to {MAX_KINDS} kinds")
    for kind, weight in weights.items():
        usable = math.isfinite(weight) and weight >= 0
        require(usable, f"weights.{kind}", weight, "give a finite number from 0")
        require(bool(kind) and kind == kind.strip(), "weights", kind, "name the kind")


def require_pattern(name: str, pattern: str) -> None:
    """Refuse what is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name} {pattern!r:.100} is no regular expression: {error}") from error


def require_clock(time_zone: str, time_format: str) -> None:
    """Refuse unknown time zones, and formats that do not tell one day from another."""
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"time_zone {time_zone!r:.100} is not a time zone; write it like Europe/London"
        ) from error
    if time_format in {"", EPOCH}:
        return
    try:
        day = datetime.strptime(_PROBE.strftime(time_format), time_format).date()
    except ValueError:
        day = date.min
    require(
        day == _PROBE.date(),
        "time_format",
        time_format,
        'use strptime directives that give year, month and day, "epoch", or "" for ISO 8601',
    )


def require_text(delimiter: str, encoding: str) -> None:
    """Refuse delimiters that cannot be one, and encodings that do not contain ASCII."""
    single = len(delimiter) <= 1 and delimiter not in {'"', "\r", "\n", "\0"}
    require(single, "delimiter", delimiter, "give one character that is neither quote nor newline")
    try:
        codec = codecs.lookup(encoding).name
        plain = codec == "utf-8-sig" or "a,\n".encode(encoding) == b"a,\n"
    except (LookupError, ValueError):
        plain = False
    require(
        plain,
        "encoding",
        encoding,
        "name one that contains ASCII, such as utf-8 or cp1252; save UTF-16 files as UTF-8",
    )
