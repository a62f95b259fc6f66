"""Values of databases and spreadsheets as texts."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pytest

from recommender.errors import DataError
from recommender.readers import cells
from recommender.readers.cells import cell_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("NULL", "NULL"),
        (True, "true"),
        (4001, "4001"),
        (4006381333931, "4006381333931"),
        (0.1, "0.1"),
        (float("nan"), None),
        (Decimal("1E+3"), "1000"),
        (Decimal("12.50"), "12.50"),
        (Decimal("NaN"), None),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02 03:04:05.000006+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        ("Käse".encode(), "Käse"),
        (memoryview(b"a"), "a"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (["Käse", 1, None], '["Käse", 1, null]'),
        ({"price": Decimal("1.5")}, '{"price": "1.5"}'),
    ],
)
def test_a_value_is_one_text(value: object, text: str | None) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"\xff\x00", "bytes that are not UTF-8"),
        ("a\ud800", "a lone surrogate"),
        ("long", "longer"),
    ],
)
def test_what_is_no_text_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: object, why: str
) -> None:
    monkeypatch.setattr(cells, "MAX_LINE", 3)
    with pytest.raises(DataError, match=why):
        cell_text(value)
