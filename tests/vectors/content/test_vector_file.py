"""Vectors that a shop has: the three formats, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import DataError
from recommender.vectors.content.vector_file import VectorFile

IDS = ["a", "007", "é c"]
MATRIX = np.array([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]], dtype=np.float32)
UNIT = [[0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]]
ITEMS = Catalogue.of_titles(ItemIds(("é c", "gone", "a", "007")), ["t"] * 4)


def embedded(path: Path, **names: str) -> Embeddings:
    return VectorFile(str(path), **names).embed(ITEMS, silent)


def parquet(path: Path, ids: pa.Array, vectors: pa.Array, names: tuple[str, str]) -> Path:
    pq.write_table(pa.table(dict(zip(names, (ids, vectors), strict=True))), path, row_group_size=2)
    return path


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"image{suffix}"
    if suffix == ".parquet":
        return parquet(path, pa.array(IDS), pa.array(MATRIX.tolist()), ("item", "vector"))
    if suffix == ".npy":
        np.save(path, MATRIX)
        path.with_suffix(".ids").write_text("\n".join(IDS) + "\n", encoding="utf-8")
        return path
    rows = [
        f"{left},{item},{right}" for item, (left, right) in zip(IDS, MATRIX.tolist(), strict=True)
    ]
    path.write_text("\n".join(["x,item,y", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".csv"])
def test_formats_are_read_alike(tmp_path: Path, suffix: str) -> None:
    made = embedded(write(tmp_path, suffix))
    assert made.matrix == pytest.approx(np.array([UNIT[2], [0, 0], UNIT[0], UNIT[1]]), abs=1e-6)
    assert made.support.tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".csv"])
def test_the_fingerprint_follows_the_files(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix)
    before = VectorFile(str(path)).fingerprint()
    assert VectorFile(str(path), item="id").fingerprint() != before
    changed = path.with_suffix(".ids") if suffix == ".npy" else path
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert VectorFile(str(path)).fingerprint() != before


@pytest.mark.parametrize(
    "vectors",
    [
        pa.array(MATRIX.tolist(), pa.list_(pa.float32(), 2)),
        pa.array(MATRIX.tolist(), pa.large_list(pa.float64())),
        pa.array(MATRIX.astype(int).tolist(), pa.list_(pa.int64())),
    ],
)
def test_lists_of_any_number_type(tmp_path: Path, vectors: pa.Array) -> None:
    path = parquet(tmp_path / "v.parquet", pa.array([7, 8, 9]), vectors, ("sku", "embedding"))
    made = VectorFile(str(path), item="sku", vector="embedding").embed(
        Catalogue.of_titles(ItemIds(("8", "7")), ["t"] * 2), silent
    )
    assert made.matrix == pytest.approx(np.array([UNIT[1], UNIT[0]]), abs=1e-6)


def test_zeros_count_as_unknown(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("item,x,y\na,0,0\n007,1,1\n")
    assert embedded(tmp_path / "v.csv").support.tolist() == [0, 0, 0, 1]


@pytest.mark.fault(34)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,x\na,1\na,2\n", "row 3, item 'a': row 2 has a vector of this item"),
        ("item,x,y\na,1,2\nb,1\n", "row 3, item 'b': 1 dimensions, the first row has 2"),
        ("item,x\na,nan\n", "row 2, item 'a': a number that is not finite"),
        ("item,x\na,1e39\n", "row 2, item 'a': a number that is not finite"),
        ("item,x\na,one\n", "row 2, item 'a': could not convert"),
        ("item\na\n", "row 2, item 'a': no vector"),
        ("item,x\n", "has no rows"),
        ("id,x\na,1\n", "no column 'item'; it has id, x"),
        ("", "no column 'item'"),
        ('item,x\n"a,1\n', "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        embedded(tmp_path / "v.csv")


def test_rows_of_parquet_are_counted_over_its_groups(tmp_path: Path) -> None:
    ids, vectors = pa.array(["a", "b", "c", None]), pa.array([[1.0], [2.0], [3.0], None])
    path = parquet(tmp_path / "v.parquet", ids, vectors, ("item", "vector"))
    with pytest.raises(DataError, match="row 4, item '': no vector"):
        embedded(path)


def test_a_column_that_holds_no_lists_is_named(tmp_path: Path) -> None:
    path = parquet(tmp_path / "v.parquet", pa.array(["a"]), pa.array([1.0]), ("item", "vector"))
    with pytest.raises(DataError, match="column 'vector' is of type double, not lists"):
        embedded(path)


def test_ids_and_rows_of_a_matrix_must_match(tmp_path: Path) -> None:
    path = write(tmp_path, ".npy")
    path.with_suffix(".ids").write_text("a\n")
    with pytest.raises(DataError, match=r"array of shape \(3, 2\); image.ids has 1 ids"):
        embedded(path)


@pytest.mark.parametrize("suffix", [".parquet", ".npy", ".csv"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    with pytest.raises(DataError, match=f"v{suffix} cannot be read"):
        embedded(path)
    with pytest.raises(DataError, match=f"v{suffix} cannot be read"):
        VectorFile(str(path)).fingerprint()
    path.write_bytes(b"\x93NUMPY no such file")
    path.with_suffix(".ids").write_text("a\n")
    with pytest.raises(DataError, match=f"v{suffix}"):
        embedded(path)


@pytest.mark.fault("S10")
@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, " + "9" * 30 + ")}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': '<U3', 'fortran_order': False, 'shape': (1, 2)}",
        "(" * 500,
    ],
    ids=["size", "complex", "text", "syntax"],
)
def test_a_forged_header_of_an_array_is_refused(tmp_path: Path, header: str) -> None:
    line = header.encode() + b"\n"
    (tmp_path / "v.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + bytes(64)
    )
    (tmp_path / "v.ids").write_text("i000\n")
    with pytest.raises(DataError, match=r"v\.npy"):
        embedded(tmp_path / "v.npy")
