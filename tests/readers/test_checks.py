import pytest

from recommender.readers.checks import require, require_dialect, require_time


def test_a_message_names_the_setting_its_value_and_the_remedy() -> None:
    require(True, "pad", 1, "give 0 or more")
    with pytest.raises(ValueError, match="pad -1: give 0 or more"):
        require(False, "pad", -1, "give 0 or more")


def test_each_of_several_time_formats_is_checked() -> None:
    require_time("UTC", ("%d.%m.%Y", "epoch", "", "day-first", "month-first"))
    with pytest.raises(ValueError, match="time_format '%d': use strptime"):
        require_time("UTC", ("%d.%m.%Y", "%d"))


def test_utf_16_is_an_encoding() -> None:
    require_dialect("\t", "utf-16")
    with pytest.raises(ValueError, match="encoding 'utf-16-le'"):
        require_dialect("", "utf-16-le")
