from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.readers.values import Categorical, TimeParser, numbers, truth_values


def seconds(text: str, time_zone: str = "UTC", time_format: str = "") -> int:
    values, faults = TimeParser(time_zone, time_format).seconds([text], "time")
    assert faults == [""], faults
    return int(values[0])


def fault(text: str, time_zone: str = "UTC", time_format: str = "") -> str:
    return TimeParser(time_zone, time_format).seconds([text], "time")[1][0]


def epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("of", [Categorical.of, Categorical.of_many])
def test_distinct_texts_are_stripped_and_stand_by_first_appearance(
    of: Callable[[np.ndarray], Categorical],
) -> None:
    cells = np.array(["b", " a", "b", "NA", ""], dtype=object)
    distinct = of(cells)
    assert distinct.texts == ("b", "a", "NA", "")
    assert distinct.codes.tolist() == [0, 1, 0, 2, 3]
    assert distinct.where([True, False, False, True]).tolist() == [True, False, True, False, True]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-2.5", -2.5), ("+3", 3.0), (".5", 0.5), ("7.", 7.0), ("1e3", 1000.0)],
)
def test_numbers(text: str, value: float) -> None:
    values, faults = numbers([text], "price")
    assert (values.tolist(), faults) == ([value], [""])


@pytest.mark.parametrize(
    "text",
    ["x", "1,000", "1 000", "1_000", "nan", "NaN", "inf", "-inf", "1e39", "0x10", "٣", "1e", "--1"],
)
def test_what_is_no_number(text: str) -> None:
    values, faults = numbers([text], "price")
    assert np.isnan(values).all()
    assert faults == ["price is not a number"]


def test_an_empty_number_is_called_empty() -> None:
    assert numbers([""], "quantity")[1] == ["quantity is empty"]


@given(st.floats(allow_nan=False, width=32).filter(np.isfinite))
def test_every_finite_float32_is_a_number(value: float) -> None:
    values, faults = numbers([repr(value)], "price")
    assert (values.tolist(), faults) == ([value], [""])


def test_flags() -> None:
    yes = ["true", "True", "T", "1", "yes", "Y", "12", "0.5", ""]
    no = ["false", "FALSE", "f", "0", "no", "n", "-1", "0.0"]
    assert truth_values(yes, "in_stock")[0].all()
    assert not truth_values(no, "in_stock")[0].any()
    assert truth_values([*yes, *no], "in_stock")[1] == [""] * len(yes + no)
    assert (
        truth_values(["maybe", "nan"], "in_stock")[1] == ["in_stock is neither true nor false"] * 2
    )


@pytest.mark.parametrize(
    "text",
    [
        "2010-12-01 08:26:00",
        "2010-12-01T08:26:00Z",
        "2010-12-01T10:26:00+02:00",
        "2010-12-01T08:26",
        "20101201T082600",
        "2010-12-01 08:26:00.999999999",
    ],
)
def test_iso_times(text: str) -> None:
    assert seconds(text) == epoch(2010, 12, 1, 8, 26)


def test_dates_alone_are_midnight() -> None:
    assert seconds("2010-12-01") == seconds("20101201") == epoch(2010, 12, 1)


def test_times_before_1970_round_down() -> None:
    assert seconds("1969-12-31T23:59:59.5Z") == -1
    assert seconds("-1.5", time_format="epoch") == -2


def test_a_time_without_offset_is_one_of_the_zone() -> None:
    assert seconds("2011-07-01 12:00", "Europe/London") == epoch(2011, 7, 1, 11)
    assert seconds("2011-01-01 12:00", "Europe/London") == epoch(2011, 1, 1, 12)
    assert seconds("2011-07-01 12:00Z", "Europe/London") == epoch(2011, 7, 1, 12)


def test_an_hour_that_comes_twice_is_the_first() -> None:
    assert seconds("2011-10-30 01:30", "Europe/London") == epoch(2011, 10, 30, 0, 30)


def test_an_hour_that_never_was_moves_on() -> None:
    assert seconds("2011-03-27 01:30", "Europe/London") == epoch(2011, 3, 27, 1, 30)
    assert seconds("2011-03-27 02:30", "Europe/London") == epoch(2011, 3, 27, 1, 30)


@pytest.mark.parametrize("text", ["now", "today", "NaT", "1/12/2010", "2010", "2010-13-01", "x"])
def test_what_is_no_iso_time(text: str) -> None:
    assert fault(text) == "time is not an ISO 8601 time"


def test_an_epoch_number_does_not_pass_for_a_date_of_the_middle_ages() -> None:
    assert fault("1512010960123") == "time is not an ISO 8601 time"


def test_epoch_seconds() -> None:
    assert seconds("1291191960", time_format="epoch") == 1_291_191_960
    assert seconds("1291191960.75", time_format="epoch") == 1_291_191_960
    assert seconds("1291191960", "Europe/London", "epoch") == 1_291_191_960


@pytest.mark.parametrize("text", ["1291191960000", "x", "nan", "2010-12-01"])
def test_what_is_no_epoch(text: str) -> None:
    assert fault(text, time_format="epoch") == "time is not epoch seconds"


def test_a_format_of_the_shop() -> None:
    assert seconds("1/12/2010 8:26", time_format="%d/%m/%Y %H:%M") == epoch(2010, 12, 1, 8, 26)
    london = seconds("1/07/2011 8:26", "Europe/London", "%d/%m/%Y %H:%M")
    assert london == epoch(2011, 7, 1, 7, 26)
    assert seconds("1/07/2011 +0200", "Europe/London", "%d/%m/%Y %z") == epoch(2011, 6, 30, 22)
    assert fault("now", time_format="%d/%m/%Y") == "time is not a time like %d/%m/%Y"


def test_an_empty_time_is_called_empty() -> None:
    assert fault("") == fault("", time_format="epoch") == "time is empty"


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("time_zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_ends_of_the_calendar_do_not_overflow(text: str, time_zone: str) -> None:
    TimeParser(time_zone, "").seconds([text], "time")
