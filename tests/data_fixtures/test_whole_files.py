import gzip
from pathlib import Path

import pytest

from data_fixtures.whole_files import csv_bytes, gzip_bytes, whole_file, write_whole


def write_half(path: Path) -> None:
    with whole_file(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError("disk")


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    write_whole(path, b"earlier")
    with pytest.raises(RuntimeError, match="disk"):
        write_half(path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "orders.csv"
    with whole_file(path) as temporary:
        temporary.write_bytes(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert list(path.parent.iterdir()) == [path]


def test_gzip_carries_neither_time_nor_name() -> None:
    packed = gzip_bytes(b"lines")
    assert packed[3] == 0
    assert packed[4:8] == b"\0\0\0\0"
    assert gzip.decompress(packed) == b"lines"


def test_csv_has_line_feeds_and_quotes_where_needed() -> None:
    assert csv_bytes(("a", "b"), [("1,5", "é")]) == 'a,b\n"1,5",é\n'.encode()
