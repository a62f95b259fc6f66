"""The benchmark of reading: its odd lines, and its ways."""

from pathlib import Path

from benchmarks.reading import ODD_LINES, RECIPE, ROOT, add_odd_lines, read, row
from benchmarks.shop_generator import SyntheticShop


def test_either_way_of_the_readers_has_the_same_result(tmp_path: Path) -> None:
    SyntheticShop(200, 4_000).write(tmp_path, RECIPE)
    n_odd = add_odd_lines(tmp_path / "orders.csv", 0.01)
    assert n_odd >= len(ODD_LINES)
    plain, careful = (read(way, tmp_path, ROOT) for way in ("plain", "careful"))
    assert (plain.rows, plain.refused) == (careful.rows, careful.refused)
    assert 0 < plain.refused < n_odd
    assert row([plain, careful]).endswith("same bytes")
