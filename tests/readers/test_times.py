from datetime import UTC, datetime

import numpy as np
import pytest

from recommender.core.interactions import DAY_S
from recommender.readers.times import TimeParser, newest_plausible
from tests.readers.shop_folder import Folder


def seconds(text: str, time_zone: str = "UTC", time_format: str = "") -> int:
    values, faults = TimeParser(time_zone, time_format).seconds([text], "time")
    assert faults == [""], faults
    return int(values[0])


def fault(text: str, time_zone: str = "UTC", time_format: str = "") -> str:
    return TimeParser(time_zone, time_format).seconds([text], "time")[1][0]


def epoch(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc, arg-type]


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


@pytest.mark.parametrize(
    "text",
    ["now", "today", "NaT", "1/12/2010", "2010", "2010-13-01", "x", "2010120118", "31/31/2010"],
)
def test_what_is_no_iso_time(text: str) -> None:
    assert fault(text) == "time is not an ISO 8601 time"


def test_an_epoch_number_does_not_pass_for_a_date_of_the_middle_ages() -> None:
    assert fault("15120109601") == "time is not an ISO 8601 time"


def test_epoch_seconds() -> None:
    assert seconds("1291191960", time_format="epoch") == 1_291_191_960
    assert seconds("1291191960.75", time_format="epoch") == 1_291_191_960
    assert seconds("1291191960", "Europe/London", "epoch") == 1_291_191_960


@pytest.mark.parametrize("text", ["1" * 21, "x", "nan", "2010-12-01"])
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


@pytest.mark.parametrize("time_format", ["", "epoch"])
@pytest.mark.parametrize("zeros", ["", "000", "000000", "000000000"])
def test_epoch_numbers_of_any_unit(time_format: str, zeros: str) -> None:
    assert seconds(f"1735754400{zeros}", time_format=time_format) == epoch(2025, 1, 1, 18)


@pytest.mark.parametrize(
    "text",
    [
        "2025-01-01 18:00:00 UTC",
        "2025-01-01 19:00:00 +0100",
        "2025-01-01T18:00:00.000Z",
        "01.01.2025 18:00",
        "Wed, 01 Jan 2025 18:00:00 GMT",
        "Jan 1, 2025 6:00 PM",
        "1 January 2025 18:00",
        "2025/01/01 18:00:00",
        "20250101180000",
    ],
)
def test_times_that_can_be_read_in_one_way(text: str) -> None:
    assert seconds(text) == epoch(2025, 1, 1, 18)


def test_a_date_shows_for_the_others_whether_its_day_is_first() -> None:
    day = TimeParser("UTC", "")
    assert day.seconds(["2/1/2025", "31/12/2025"], "time")[0][0] == epoch(2025, 1, 2)
    assert day.seconds(["3/1/2025"], "time")[0][0] == epoch(2025, 1, 3)
    month = TimeParser("UTC", "").seconds(["2/1/2025 1:30 PM", "12/31/2025"], "time")[0]
    assert month[0] == epoch(2025, 2, 1, 13, 30)
    both = TimeParser("UTC", "").seconds(["2/1/2025", "31/12/2025", "12/31/2025"], "time")[1]
    assert both[0] == "time is not an ISO 8601 time"
    assert seconds("2/1/2025", time_format="day-first") == epoch(2025, 1, 2)
    assert seconds("2/1/2025", time_format="month-first") == epoch(2025, 2, 1)


def test_a_column_may_have_several_formats() -> None:
    parser = TimeParser("UTC", ("%d/%m/%Y", "", "epoch"))
    found, faults = parser.seconds(["2/1/2025", "2025-01-02", "1735776000", "x"], "time")
    assert found[:3].tolist() == [epoch(2025, 1, 2)] * 3
    assert faults[3] == "time is not a time like %d/%m/%Y or an ISO 8601 time or epoch seconds"


@pytest.mark.fault(77)
def test_a_time_far_after_all_others_is_not_the_newest() -> None:
    days = np.arange(1, 200, dtype=np.int64) * DAY_S + epoch(2025, 1, 1)
    placeholder = np.array([epoch(2035, 1, 1)])
    assert newest_plausible(np.append(days, placeholder)) == days[-1]
    assert newest_plausible(np.append(days[:25], placeholder)) == days[24]
    assert newest_plausible(np.append(days, days[-1] + 170 * DAY_S)) == days[-1] + 170 * DAY_S
    assert newest_plausible(np.append(days[:10], placeholder)) == placeholder[0]
    assert newest_plausible(np.zeros(3, dtype=np.int64)) == 0


@pytest.mark.fault(43)
@pytest.mark.parametrize("time_format", ["", "day-first", "month-first"])
@pytest.mark.parametrize(
    "text", ["0", "\u00b2", "\u0661\u0662\u0663", "\uff19", "2025112", "123456789"]
)
def test_digits_that_are_no_date_are_a_fault(text: str, time_format: str) -> None:
    seconds, faults = TimeParser("UTC", time_format).seconds([text, "2025-12-31"], "time")
    assert seconds.tolist() == [0, 1767139200]
    assert faults[0].startswith("time is not")


@pytest.mark.parametrize(
    "text",
    [
        "Friday, 02. January 2026 18:05",
        "Fri Jan 02 2026 19:05:00 GMT+0100 (CET)",
        "Fri Jan 02 18:05:00 2026",
        "01/02/26, 06:05PM",
        "1/2/2026 6:05 p.m.",
        "02.01.2026 um 18:05 Uhr",
        "2. Januar 2026 18:05",
        "2 de enero de 2026 18:05",
        "02/Jan/2026:18:05:00 +0000",
        "2026年01月02日 18:05",
        "2026-01-02 19:05:00.123 Europe/Berlin",
        "'2026-01-02 18:05",
        "46024.75347222222",
    ],
)
def test_times_as_shops_write_them(text: str) -> None:
    order = "month-first" if "/2026 " in text or "/26" in text else ""
    seconds, faults = TimeParser("UTC", order).seconds([text], "time")
    assert faults == [""]
    assert datetime.fromtimestamp(int(seconds[0]), UTC).isoformat()[:16] == "2026-01-02T18:05"


@pytest.mark.parametrize("text", ["0000-00-00 00:00:00", "0000-00-00", "1970-01-01"])
def test_placeholders_are_unknown_and_noted(folder: Folder, text: str) -> None:
    folder.put("o.csv", f"item_id,order_id,time\na,1,{text}\nb,1,2026-01-02\n")
    data = folder.read(interactions="o.csv")
    assert sorted(data.interactions.time.tolist())[0] == 0
    assert data.report.files[0].noted == {"time is a placeholder: unknown": 1}


def test_many_placeholders_after_2100_are_not_the_newest_time() -> None:
    times = np.array([10**9 + n for n in range(50)] + [253_370_764_800] * 10)
    assert newest_plausible(times) == 10**9 + 49
