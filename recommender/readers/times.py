"""Times: the texts of a column as epoch seconds, in one of several formats."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from recommender.core.interactions import DAY_S
from recommender.readers.checks import DAY_FIRST, EPOCH, MONTH_FIRST
from recommender.readers.usual_times import UsualTimes
from recommender.readers.values import Faults, parsed

FEWEST = 20
FAR_S = 180 * DAY_S
FAR_ALONE_S = 5 * 365 * DAY_S
_EPOCH = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (10**20, 10**9))
"""Bounds of epoch numbers, and how many of their unit are in a second: s, ms, us and ns."""
_SERIAL_DIGITS = 5
_EXCEL_DAY_0 = datetime(1899, 12, 30)
"""Spreadsheets count days from here; those of this century have five digits."""
_EPOCH_DIGITS = frozenset({10, 13, 16, 19})
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_ZONE = re.compile(r"\s*(?:UTC|GMT|Z)$")
_NOISE = re.compile(
    r"^'|\s*\((?:[A-Z]{2,5}|[^()]*[Tt]ime)\)$|\s*Uhr$|(?<=\d)(?:st|nd|rd|th)(?=[ ,])"
)
"""What some exports write around a time: a mark of text, the name of its zone, the word Uhr."""
_WEEKDAY = re.compile(r"^[^\W\d]{2,10}[.,]?,?\s+(?=\d|[^\W\d]{3,}\.?\s+\d)")
_MERIDIEM = re.compile(r"\s*([ap])\.?\s?m\.?(?=$|\s)", re.IGNORECASE)
_NAMED_ZONE = re.compile(r"(.*\d)\s+([A-Z][A-Za-z]+/[A-Za-z_/]+)$")
_LOG = re.compile(r"(\d{1,2})/([A-Za-z]{3})/(\d{4}):")
_JAPANESE = re.compile(r"(\d{4})\s*\u5e74\s*(\d{1,2})\s*\u6708\s*(\d{1,2})\s*\u65e5")
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            *(
                "jan januar january janvier enero gennaio januari",
                "feb februar february f\u00e9vrier febrero febbraio februari",
            ),
            *("mar m\u00e4rz march mars marzo maart mrz", "apr april avril abril aprile"),
            *(
                "may mai mayo maggio mei",
                "jun juni june juin junio giugno",
                "jul juli july juillet julio luglio",
            ),
            *(
                "aug august ao\u00fbt agosto augustus",
                "sep sept september septembre septiembre settembre",
            ),
            *("oct okt oktober october octobre octubre ottobre", "nov november novembre noviembre"),
            "dec dez dezember december d\u00e9cembre diciembre dicembre",
        ),
        start=1,
    )
    for word in words.split()
}
_MONTH_WORD = re.compile(r"[^\W\d_]{3,}")
NO_TIMES = frozenset({"0000-00-00", "00.00.0000", "00/00/0000", "0001-01-01"})
"""Placeholders, with or without a clock, of a time that is not known."""
_LAST_PLAUSIBLE = 4_102_444_800
"""The year 2100: later times are placeholders such as 9999-12-31."""
_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")
_DAYS = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:,?\s+|T|$)(.*)", re.ASCII)
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H:%M:%S.%f", "%H:%M:%S%z", "%H:%M%z")
_NAMED = (
    *("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%a, %d %b %Y"),
    *("%Y/%m/%d", "%Y.%m.%d", "%d. %b %Y", "%b %d %Y"),
)


@dataclass(frozen=True, slots=True)
class TimeParser:
    """Parses times of several formats, of which the first that fits counts.

    A format is for strptime, "epoch" for seconds, milliseconds, microseconds or nanoseconds,
    "day-first" or "month-first" for 1/2/2026, or "" for ISO 8601, an epoch number and dates that
    can be read in one way. There, 1/2/2026 has its day first if another time shows it (31/12/2025),
    or if it is written 1.2.2026.

    A time without an offset is in `time_zone`. Where clocks are set back, an ambiguous time is the
    first of the two; where they are set forward, a time in the gap is moved on by the gap.
    """

    time_zone: str
    time_format: str | tuple[str, ...]
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _orders: set[str] = field(init=False, repr=False, compare=False, default_factory=set)
    _times: UsualTimes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", ZoneInfo(self.time_zone))
        usual = UsualTimes(self._zone, epoch=self.formats[0] == EPOCH)
        object.__setattr__(self, "_times", usual)

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats, at least one."""
        given = self.time_format
        return (given,) if isinstance(given, str) else given or ("",)

    def seconds(self, texts: Sequence[str], what: str) -> tuple[NDArray[np.int64], Faults]:
        """Epoch seconds in UTC, rounded down; 0 where a text is not a time."""
        seconds, read = self._usual(texts)
        faults = [""] * len(texts)
        places = np.flatnonzero(~read).tolist()
        others = [texts[place] for place in places]
        self._orders.update(filter(None, map(_shown_order, others)))
        values, fault = parsed(others, self._second, what, f"is not {self._expected()}")
        for place, value, why in zip(places, values, fault, strict=True):
            seconds[place], faults[place] = value or 0, why
        return seconds, faults

    def _usual(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The seconds of the texts that are usual times in the first format, and which are."""
        if self.formats[0] not in {"", EPOCH}:
            return np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
        return self._times.seconds(texts)

    def _second(self, text: str) -> int:
        for number, each in enumerate(self.formats, start=1):
            try:
                return self._read(text, each)
            except ValueError:
                if number == len(self.formats):
                    raise
        raise ValueError("no format")

    def _read(self, text: str, time_format: str) -> int:
        if time_format == EPOCH:
            return _epoch(text)
        whole = text.partition(".")[0]
        if time_format == "" and _EPOCH.fullmatch(text) and len(whole) not in _COMPACT:
            if len(whole) != _SERIAL_DIGITS:
                return _told_epoch(text)
            time = _EXCEL_DAY_0 + timedelta(seconds=round(float(text) * DAY_S))
            return int(time.replace(tzinfo=self._zone).timestamp())
        if time_format in {"", DAY_FIRST, MONTH_FIRST}:
            time = self._guessed(text, time_format)
        else:
            time = datetime.strptime(text, time_format)
        if time.tzinfo is None:
            time = time.replace(tzinfo=self._zone)
        return int(time.timestamp() // 1)

    def _guessed(self, text: str, order: str) -> datetime:
        if text.partition(" ")[0].partition("T")[0] in NO_TIMES:
            return datetime.fromtimestamp(0, self._zone.__class__("UTC"))
        text = _OFFSET.sub("", _ZONE.sub("+00:00", text) if not text.isdigit() else text)
        if text.isdigit():
            if len(text) not in _COMPACT:
                raise ValueError("not as many digits as a date has")
            return datetime.strptime(text, _COMPACT[len(text)])
        if found := _DAYS.fullmatch(text) or _DAYS.fullmatch(_plain(text)):
            return _dated(found, order or self._order(found[2]))
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
        if found := _NAMED_ZONE.fullmatch(text):
            return self._guessed(found[1], order).replace(tzinfo=ZoneInfo(found[2]))
        if (plain := _plain(text)) != text:
            return self._guessed(plain, order)
        return _first_of(text, _NAMED)

    def _order(self, mark: str) -> str:
        if mark == ".":
            return DAY_FIRST
        if len(self._orders) != 1:
            raise ValueError("day or month first")
        return next(iter(self._orders))

    def _expected(self) -> str:
        names = {EPOCH: "epoch seconds", "": "an ISO 8601 time"}
        shown = [names.get(each, f"a time like {each}") for each in self.formats]
        return " or ".join(shown)


def newest_plausible(times: NDArray[np.int64]) -> int:
    """The newest of the times (m,), in epoch seconds, that is not far after all the others.

    Far is half a year for up to 1 % of the times, and five years for a single one of at least 20;
    such times are mistakes or placeholders. 0 without a time.
    """
    known = np.sort(times[(times != 0) & (times < _LAST_PLAUSIBLE)])
    if len(known) == 0:
        return 0
    few = max(len(known) // 100, 1)
    for last in range(len(known) - few, len(known)):
        years = FAR_S if len(known) - last <= len(known) // 100 else FAR_ALONE_S
        if len(known) >= FEWEST and known[last] - known[last - 1] > years:
            return int(known[last - 1])
    return int(known[-1])


def _plain(text: str) -> str:
    """A time in words as numbers and English months, without weekday and what is around it."""
    text = _MERIDIEM.sub(lambda found: f" {found[1].upper()}M", _NOISE.sub("", text))
    text = _LOG.sub(r"\1 \2 \3 ", _JAPANESE.sub(r"\1-\2-\3", text).replace(" um ", " "))
    if found := re.fullmatch(r"\w+ (\w+) (\d+) (\d+:\d+:\d+) (\d{4})", text):
        text = f"{found[1]} {found[2]} {found[4]} {found[3]}"
    elif _WEEKDAY.match(text) and text.split()[0].strip(".,").casefold() not in _MONTHS:
        text = _WEEKDAY.sub("", text)
    text = re.sub(r"\s+GMT(?=[+-]\d{4})", "", text)
    text = re.sub(r"(?<=\d)\.?\s+de\s+|(?<=[a-z])\s+de\s+(?=\d)", " ", text)
    return _MONTH_WORD.sub(_english, text)


def _english(found: re.Match[str]) -> str:
    month = _MONTHS.get(found[0].casefold())
    return found[0] if month is None else datetime(2000, month, 1).strftime("%b")


def _shown_order(text: str) -> str:
    """Whether a date shows that its day, or its month, is first; "" where it may be either."""
    found = _DAYS.match(text)
    if found is None or found[2] == ".":
        return ""
    if int(found[1]) > 12:
        return DAY_FIRST
    return MONTH_FIRST if int(found[3]) > 12 else ""


def _dated(found: re.Match[str], order: str) -> datetime:
    day, month = (found[1], found[3]) if order == DAY_FIRST else (found[3], found[1])
    year = found[4] if len(found[4]) == 4 else f"20{found[4]}"
    date = datetime(int(year), int(month), int(day))
    clock = _plain(found[5].strip())
    if not clock:
        return date
    for each in _CLOCKS:
        try:
            time = datetime.strptime(clock, each)
        except ValueError:
            continue
        return datetime.combine(date, time.timetz())
    raise ValueError("no time of day")


def _first_of(text: str, formats: Sequence[str]) -> datetime:
    """The time by the first of the formats of dates that fits, with or without a clock."""
    for date in formats:
        for clock in ("", *(f" {each}" for each in _CLOCKS)):
            try:
                return datetime.strptime(text, date + clock)
            except ValueError:
                continue
    raise ValueError("no time")


def _told_epoch(text: str) -> int:
    """An epoch number of this century; its digits say the unit. Raises: ValueError."""
    if len(text.partition(".")[0]) not in _EPOCH_DIGITS or _is_hour(text):
        raise ValueError("perhaps a date of the Middle Ages")
    return _epoch(text)


def _is_hour(text: str) -> bool:
    """Whether a number may be an hour, written 2025123118."""
    try:
        return len(text) == 10 and 1990 <= datetime.strptime(text, "%Y%m%d%H").year <= 2100
    except ValueError:
        return False


def _epoch(text: str) -> int:
    if not _EPOCH.fullmatch(text):
        raise ValueError("not a number")
    whole, _, rest = text.partition(".")
    size = abs(int(whole))
    for bound, in_second in _UNITS:
        if size < bound:
            below = 1 if rest.strip("0") and whole.startswith("-") else 0
            return int(whole) // in_second - (below if in_second == 1 else 0)
    raise ValueError("too large")
