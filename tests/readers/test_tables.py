import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.core.catalogue import MOST_MARK_UP
from recommender.core.telemetry import Advance
from recommender.readers import blocks
from recommender.readers.blocks import Block
from recommender.readers.interactions import KeptRows
from recommender.readers.row_accounting import RowAccounting
from recommender.readers.row_filter import InteractionRowFilter
from recommender.readers.sources import InteractionSource
from tests.readers.shop_folder import Folder, sold

HEADER = "item_id,order_id,note\n"


def test_more_rows_than_a_block_keep_their_order_and_lines(folder: Folder) -> None:
    rows = [f"{number:06d},{number // 3},x" for number in range(120_000)]
    rows[110_000] += ",y"
    folder.put("a.csv.gz", HEADER + "\n".join(rows))
    data = folder.read(interactions="a.csv.gz")
    assert data.catalogue.ids.ids[109_999:110_001] == ("109999", "110001")
    assert data.interactions.basket.tolist() == sorted(data.interactions.basket.tolist())
    assert [row["line"] for row in folder.refused()] == [110_002]


@pytest.mark.parametrize(("limit", "value"), [("BLOCK_ROWS", 2), ("BLOCK_CHARACTERS", 70)])
def test_a_block_ends_at_many_rows_or_many_characters(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    folder.put("a.csv", HEADER + f"a,1,{'x' * 38}\n" * 6)
    sizes: list[int] = []
    kept = InteractionRowFilter.kept_rows

    def counted(self: InteractionRowFilter, block: Block, accounting: RowAccounting) -> KeptRows:
        sizes.append(len(block.lines))
        return kept(self, block, accounting)

    monkeypatch.setattr(blocks, limit, value)
    monkeypatch.setattr(InteractionRowFilter, "kept_rows", counted)
    assert sold(folder.read(interactions="a.csv")) == ["a"] * 6
    assert sizes == [2, 2, 2]


def test_of_huge_texts_only_the_start_is_cleaned(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["item_id", "title"], *([f"i{number}", "&<é" * 350_000] for number in range(40))]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    folder.put("c.csv", text.getvalue())
    sizes: list[int] = []

    def seen(part: str) -> str:
        sizes.append(len(part))
        return part

    monkeypatch.setattr("recommender.core.catalogue.shown_text", seen)
    data = folder.read("c.csv")
    assert 0 < sum(sizes) <= 40 * MOST_MARK_UP
    assert data.report.shortened == len(data.catalogue) == 40
    assert max(map(len, data.catalogue.title)) <= 2_000


def test_progress_counts_the_bytes_of_all_files(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.readers.lines._CHUNK", 10_000)
    folder.put("c.csv", "item_id,title\n" + "".join(f"{n},T{n}\n" for n in range(60_000)))
    folder.put("a.csv.gz", "item_id,order_id\n" + "".join(f"{n},1\n" for n in range(120_000)))
    folder.put("b.jsonl", "")
    folder.put("e.csv", "item_id,order_id\n")
    pq.write_table(pa.table({"item_id": ["7"], "order_id": [1]}), folder.path / "d.parquet")
    told: list[tuple[str, int]] = []
    steps: list[int] = []

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Advance]:
        told.append((what, total))
        yield steps.append

    names = ("a.csv.gz", "b.jsonl", "d.parquet", "e.csv")
    folder.read("c.csv", InteractionSource(names), progress=progress)
    size = sum((folder.path / name).stat().st_size for name in ("c.csv", *names))
    assert told == [("read", size)]
    assert sum(steps) == size
    assert min(steps) >= 0
    assert len([step for step in steps if step]) == 7
