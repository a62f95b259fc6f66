"""Usual times are what the careful parser makes of them, or are left to it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.readers.times import TimeParser
from recommender.readers.usual_times import UsualTimes

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Africa/Casablanca", "Asia/Kolkata"),
    *("Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"),
)


def careful(text: str, parser: TimeParser) -> int | None:
    try:
        return parser._second(text)
    except ValueError:
        return None


clocks = st.sampled_from(
    [
        *("", "T08:30", " 23:59:59", "T00:00:00.5", "T12:00:00.123", "T12:00:00.999999", "T24:00"),
        *(" 12:60:00", "t08:30:00", "T02:30:00", " 02:30", "T01:59:59", "T08:30:60", "T8:30:00"),
    ]
)
zones = st.sampled_from(
    ["", "", "Z", " UTC", " GMT", "+02:00", "-05:30", "+23:59", "-24:00", "+02:60", "+0200", "z"]
)
numbers = st.integers(0, 10**17).map(str) | st.sampled_from(
    ["2025123118", "1767225600", "1767225600123", "1767225600123456", "0000000001", "0" * 13]
)
days = st.dates().map(str) | st.sampled_from(
    ["2025-02-29", "2024-02-29", "2025-13-01", "2025-00-10", "2025-03-30", "2025-10-26"]
)
times = st.builds("{}{}{}".format, days, clocks, zones) | numbers
mangled = st.builds(
    lambda text, place, mark: text[:place] + mark + text[place + 1 :],
    times,
    st.integers(0, 30),
    st.sampled_from(["x", "é", "5", " ", "-", "\uff19", ""]),
)


@settings(deadline=None)
@given(
    st.lists(times | mangled, max_size=20),
    st.sampled_from(ZONES),
    st.sampled_from(["", "epoch"]),
)
def test_a_time_that_is_read_is_that_of_the_careful_parser(
    texts: list[str], zone: str, time_format: str
) -> None:
    parser = TimeParser(zone, time_format)
    seconds, read = UsualTimes(ZoneInfo(zone), epoch=time_format == "epoch").seconds(texts)
    expected = [careful(text, parser) for text in texts]
    for found, was_read, value in zip(seconds.tolist(), read.tolist(), expected, strict=True):
        assert found == (value if was_read else 0)


@pytest.mark.parametrize(
    "text",
    [
        *("2025-12-31", "2025-12-31T08:30", "2025-12-31 08:30:50", "2025-12-31T08:30:50Z"),
        *("2025-12-31 08:30:50 UTC", "2025-12-31T08:30:50+02:00", "2025-12-31T08:30:50.117Z"),
        *("2025-12-31T08:30:50.117889", "1767225600", "1767225600123", "1767225600123456"),
    ],
)
def test_what_most_exports_write_is_read_at_once(text: str) -> None:
    seconds, read = UsualTimes(ZoneInfo("Europe/Berlin"), epoch=False).seconds([text, "never"])
    assert read.tolist() == [True, False]
    assert seconds.tolist() == [careful(text, TimeParser("Europe/Berlin", "")), 0]


def test_on_a_day_of_changed_clocks_a_time_without_an_offset_is_left() -> None:
    times = UsualTimes(ZoneInfo("Europe/Berlin"), epoch=False)
    texts = ["2025-03-30 12:00", "2025-03-30 12:00:00Z", "2025-03-31 12:00"]
    seconds, read = times.seconds(texts)
    assert read.tolist() == [False, True, True]
    assert seconds[1] == datetime(2025, 3, 30, 12, tzinfo=UTC).timestamp()


def test_only_numbers_are_epochs() -> None:
    times = UsualTimes(ZoneInfo("UTC"), epoch=True)
    _, read = times.seconds(["2025-12-31", "1767225600", "2025123118", "17672256.0"])
    assert read.tolist() == [False, True, True, False]
