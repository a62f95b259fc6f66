"""Usual times: ISO 8601 and epoch numbers, read many at a time by the places of their digits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from recommender.core.interactions import DAY_S

YEARS = 1900, 2099
_DATE = "yyyy-mm-dd"
_CLOCKS = ("", "THH:MM", "THH:MM:SS", "THH:MM:SS.fff", "THH:MM:SS.ffffff")
_ZONES = ("", "Z", " UTC", "+hh:zz", "-hh:zz")
_HOURS = range(25)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_CENTURIES = (19, 20, 21)
"""What an epoch number of ten digits does not begin with, if it is no hour such as 2025123118."""
_EPOCHS = {10: 1, 13: 10**3, 16: 10**6}
"""How many of the unit of an epoch number are in a second, by its digits."""

Digits = NDArray[np.uint8]
Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class UsualTimes:
    """Reads times such as 2025-12-31, with a clock, fractions of a second and an offset or not.

    Times without an offset are in `zone`. With `epoch`, epoch numbers are the only times; without,
    they are times too if they can be nothing else.
    """

    zone: ZoneInfo
    epoch: bool
    _offsets: dict[int, int | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def seconds(self, texts: Sequence[str]) -> tuple[Longs, Mask]:
        """Epoch seconds of t texts (t,), and which of them were read (t,); the others are 0."""
        seconds = np.zeros(len(texts), dtype=np.int64)
        read = np.zeros(len(texts), dtype=bool)
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        for size in sorted(set(map(len, texts))):
            if size not in _EPOCHS and (self.epoch or size not in _SHAPES):
                continue
            places = np.flatnonzero(sizes == size)
            same = (
                texts if len(places) == len(texts) else [texts[place] for place in places.tolist()]
            )
            joined = "".join(same)
            if joined.isascii():
                letters = np.frombuffer(joined.encode(), np.uint8).reshape(len(same), size)
                for found, values in self._ways(np.ascontiguousarray(letters.T)):
                    seconds[places[found]], read[places[found]] = values, True
        return seconds, read

    def _ways(self, letters: Digits) -> Iterator[tuple[Mask, Longs]]:
        """Which of t texts (size, t) are times of each shape, and the seconds of these."""
        size = len(letters)
        if size in _EPOCHS:
            yield self._epochs(letters, _EPOCHS[size])
        for shape in () if self.epoch else _SHAPES.get(size, ()):
            found = _has_shape(letters, shape)
            if found.any():
                yield self._iso(letters, shape, found)

    def _epochs(self, letters: Digits, in_second: int) -> tuple[Mask, Longs]:
        found = _are_digits(letters).all(axis=0) & (letters[0] != ord("0"))
        if not self.epoch and in_second == 1:
            found &= ~np.isin(_number(letters[:2]), _CENTURIES)
        return found, _number(letters[:, found]) // in_second

    def _iso(self, letters: Digits, shape: str, found: Mask) -> tuple[Mask, Longs]:
        parts = {
            mark: _number(letters[shape.index(mark) : shape.rindex(mark) + 1])
            for mark in "ymdHMShz"
            if mark in shape
        }
        months = (parts["y"] - 1970) * 12 + parts["m"] - 1
        first, following = (_first_day(months + more) for more in (0, 1))
        found &= (parts["y"] >= YEARS[0]) & (parts["y"] <= YEARS[1])
        found &= (parts["m"] >= 1) & (parts["m"] <= 12)
        found &= (parts["d"] >= 1) & (parts["d"] <= following - first)
        for mark, bound in (("H", 24), ("M", 60), ("S", 60), ("h", 24), ("z", 60)):
            if mark in parts:
                found &= parts[mark] < bound
        days = first + parts["d"] - 1
        seconds = days * DAY_S
        for mark, unit in (("H", 3600), ("M", 60), ("S", 1)):
            seconds += parts.get(mark, 0) * unit
        if "h" in parts:
            sign = -1 if "-hh" in shape else 1
            seconds -= sign * (parts["h"] * 3600 + parts["z"] * 60)
        elif not shape.endswith(("Z", "UTC")):
            offsets, settled = self._of_days(days, found)
            seconds -= offsets
            found &= settled
        return found, seconds[found]

    def _of_days(self, days: Longs, found: Mask) -> tuple[Longs, Mask]:
        """The offset of the zone on each day (t,), and where it is one all day (t,)."""
        distinct, codes = np.unique(np.where(found, days, 0), return_inverse=True)
        offsets = [self._offset(day) for day in distinct.tolist()]
        settled = np.array([offset is not None for offset in offsets], dtype=bool)
        return np.array([offset or 0 for offset in offsets], dtype=np.int64)[codes], settled[codes]

    def _offset(self, day: int) -> int | None:
        """The seconds that the zone is ahead of UTC on a day; None where clocks are changed."""
        if day not in self._offsets:
            start = (_UNIX + timedelta(days=day)).replace(tzinfo=self.zone)
            found = {(start + timedelta(hours=hour)).utcoffset() for hour in _HOURS}
            offset = found.pop()
            self._offsets[day] = None if found or offset is None else int(offset.total_seconds())
        return self._offsets[day]


def _shapes() -> dict[int, list[str]]:
    """The shapes of ISO times by their length; in a shape, T is a T or a space."""
    shapes: dict[int, list[str]] = {}
    for clock in _CLOCKS:
        for zone in _ZONES if clock else ("",):
            shape = _DATE + clock + zone
            shapes.setdefault(len(shape), []).append(shape)
    return shapes


_SHAPES = _shapes()


def _has_shape(letters: Digits, shape: str) -> Mask:
    """Which texts (size, t) have the shape: digits for letters in it, and its marks."""
    found = np.ones(letters.shape[1], dtype=bool)
    for place, (mark, column) in enumerate(zip(shape, letters, strict=True)):
        if mark == "T" and place == len(_DATE):
            found &= (column == ord("T")) | (column == ord(" "))
        elif mark in "ymdHMSfhz":
            found &= _are_digits(column)
        else:
            found &= column == ord(mark)
    return found


def _are_digits(letters: Digits) -> Mask:
    digits: Mask = letters - np.uint8(ord("0")) <= 9
    return digits


def _number(letters: Digits) -> Longs:
    """The number that each column of digits (n, t) writes; anything where they are no digits."""
    number = np.zeros(letters.shape[1], dtype=np.int64)
    for column in letters:
        number = number * 10 + (column.astype(np.int64) - ord("0"))
    return number


def _first_day(months: Longs) -> Longs:
    """The days from 1970 to the first of a month that is as many months after January 1970."""
    days: Longs = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days
