"""Checks of settings: what is refused, with the name of the setting, its value and the remedy."""

import codecs
import math
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

EPOCH = "epoch"
DAY_FIRST = "day-first"
MONTH_FIRST = "month-first"
MAX_KINDS = 127
_PROBE = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def require(holds: bool, name: str, value: object, remedy: str) -> None:
    """Raise ValueError that names the setting, its value and the remedy, unless `holds`."""
    if not holds:
        raise ValueError(f"{name} {value!r:.100}: {remedy}")


def require_paths(files: tuple[str, ...]) -> None:
    """Refuse empty names, and a file that is named twice."""
    require(all(files), "path", files, "leave empty names out")
    require(len(set(files)) == len(files), "path", files, "name a file once")


def require_origin(path: str | tuple[str, ...], url: str, query: str) -> None:
    """Refuse a database without a query, or besides files. The URL is not shown: it has secrets."""
    if not (url or query):
        return
    given = "url" if url else "query"
    require(not path, "path", path, f"leave it out, or leave {given} out")
    if not (url and query.strip()):
        raise ValueError(f"{given} is set alone: a database needs both url and query")
    if "://" not in url:
        raise ValueError("url: write dialect+driver://host/database, as SQLAlchemy does")


def require_weights(weights: dict[str, float]) -> None:
    """Refuse unnamed kinds, and weights that are no finite numbers from 0."""
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


def require_time(time_zone: str, time_format: str | tuple[str, ...]) -> None:
    """Refuse unknown time zones, and formats that lose the year, the month or the day."""
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"time_zone {time_zone!r:.100} is not a time zone; write it like Europe/London"
        ) from error
    for one in (time_format,) if isinstance(time_format, str) else time_format:
        if one in {"", EPOCH, DAY_FIRST, MONTH_FIRST}:
            continue
        try:
            day = datetime.strptime(_PROBE.strftime(one), one).date()
        except ValueError:
            day = date.min
        require(
            day == _PROBE.date(),
            "time_format",
            one,
            "use strptime directives that give year, month and day, "
            f'"{EPOCH}", "{DAY_FIRST}", "{MONTH_FIRST}", or "" for ISO 8601',
        )


def require_dialect(delimiter: str, encoding: str) -> None:
    """Refuse delimiters that the csv module cannot use, and encodings that do not contain ASCII."""
    single = len(delimiter) <= 1 and delimiter not in {'"', "\r", "\n", "\0"}
    require(single, "delimiter", delimiter, "give one character that is neither quote nor newline")
    try:
        codec = codecs.lookup(encoding).name
        usable = codec in {"utf-8-sig", "utf-16"} or "a,\n".encode(encoding) == b"a,\n"
    except (LookupError, ValueError):
        usable = False
    require(
        usable,
        "encoding",
        encoding,
        "name one that contains ASCII, such as utf-8 or cp1252, or utf-16",
    )
