"""Plain rows: what pyarrow splits is what Python's csv module reads, line by line."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.errors import RecommenderError
from recommender.readers import blocks, lines, plain_rows, text_tables
from recommender.readers.plain_rows import PlainSplitter
from recommender.readers.sources import Cancelled, InteractionSource
from recommender.readers.times import TimeParser
from tests.readers.shop_folder import Folder, all_bytes

NAMES = ("user_id", "order_id", "item_id", "kind", "quantity", "time")
TIME_FORMATS: list[str | tuple[str, ...]] = ["", "", "epoch", ("%d.%m.%Y", "")]
NEVER = 2**62


@contextmanager
def limits(**changes: int | float) -> Iterator[None]:
    """Other sizes of chunks and blocks, as `module__NAME`."""
    modules = {"lines": lines, "blocks": blocks, "plain": plain_rows, "tables": text_tables}
    with ExitStack() as stack:
        for name, value in changes.items():
            module, _, constant = name.partition("__")
            stack.enter_context(patch.object(modules[module], constant, value))
        yield


def outcome(
    content: bytes, source: InteractionSource
) -> tuple[bytes | str, list[dict[str, object]]]:
    """Everything that reading a file of interactions has as a result, or its error."""
    with TemporaryDirectory() as path:
        folder = Folder(Path(path))
        folder.put(str(source.path), content)
        try:
            result: bytes | str = all_bytes(folder.read(interactions=source, forgotten=("gone",)))
        except RecommenderError as error:
            result = str(error).replace(path, "")
        return result, folder.refused()


def assert_equal(content: bytes, source: InteractionSource, **changes: int) -> None:
    with limits(**changes, plain__FEWEST=NEVER), patch.object(TimeParser, "_usual", none_read):
        careful = outcome(content, source)
    with limits(**changes, plain__FEWEST=0, plain__PLAIN_SHARE=0.0):
        assert outcome(content, source) == careful


def none_read(_parser: TimeParser, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)


values = st.sampled_from(
    [
        *("", "a", "b", "007", " a ", "gone", "NULL", "0", "purchase", "click", "refund", "1", "2"),
        *("-1", "1,5", "1e3", "x", "2025-12-31", "2025-12-31T08:30:50Z", "2025-12-31 08:30", "é"),
        *(
            "1767225600",
            "1767225600123",
            "31/12/2025",
            "\ufeff",
            "日本",
            "\u2028",
            "x" * 70,
            "\x85",
        ),
        *('5" disk', '"', "\\N", '\\"', "%", "\0", "\x1c"),
    ]
)
fields = values | st.text("ab,;\"'\\\r\n %\té", max_size=6)


@st.composite
def rows(draw: st.DrawFn, delimiter: str) -> str:
    """One line, or a few: well-formed, quoted, malformed or blank."""
    kind = draw(st.sampled_from(["plain"] * 6 + ["quoted", "mixed", "raw", "short", "long", "odd"]))
    cells = draw(st.lists(values, min_size=len(NAMES), max_size=len(NAMES)))
    if kind == "quoted":
        cells = [f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells]
    if kind == "mixed":
        raw = draw(st.lists(fields, min_size=len(NAMES), max_size=len(NAMES)))
        quoted = [f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in raw]
        cells = [
            draw(st.sampled_from([one, *rest])) for one, *rest in zip(cells, quoted, strict=True)
        ]
    if kind == "raw":
        cells = draw(st.lists(fields, min_size=len(NAMES), max_size=len(NAMES)))
    if kind == "short":
        cells = cells[: draw(st.integers(0, len(NAMES)))]
    if kind == "long":
        cells += draw(st.lists(st.sampled_from(["", "x"]), min_size=1, max_size=2))
    if kind == "odd":
        return draw(
            st.sampled_from(["", "% x", '"', delimiter * 5, '""', ' "a"', '"a" ', "\ufeff"])
        )
    return delimiter.join(cells)


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, InteractionSource]:
    """A file of interactions, and settings to read it by."""
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    ends = draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"], ["\n", "\r\n", "\r"], ["\r"]]))
    body = draw(st.lists(rows(delimiter), max_size=14))
    named = draw(st.booleans())
    parts = [] if named else [delimiter.join(NAMES)]
    text = "".join(row + draw(st.sampled_from(ends)) for row in [*parts, *body])
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "cp1252", "utf-16"]))
    content = text.encode(encoding, "replace")
    if draw(st.integers(0, 4)) == 0 and encoding == "utf-8":
        place = draw(st.integers(0, len(content)))
        content = (
            content[:place]
            + draw(st.sampled_from([b"\xff", b"\xed\xa0\x80", b"\xc3"]))
            + (content[place:])
        )
    source = InteractionSource(
        "a.csv",
        delimiter=delimiter,
        encoding=encoding,
        header=NAMES if named else (),
        comment=draw(st.sampled_from(["", "", "%", "é"])),
        escape=draw(st.sampled_from(["", "", "\\", "x"])),
        weights={"purchase": 1.0, "click": 0.5},
        quantity_above=draw(st.sampled_from([None, 0.0])),
        cancelled=Cancelled("kind", "refund"),
        time_zone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
        time_format=draw(st.sampled_from(TIME_FORMATS)),
    )
    return content, source


sizes = st.fixed_dictionaries(
    {
        "lines__CHUNK": st.sampled_from([1, 60, 200, 2**20]),
        "blocks__BLOCK_ROWS": st.sampled_from([1, 2, 3, 7, 50_000]),
        "blocks__BLOCK_CHARACTERS": st.sampled_from([30, 300, 2**25]),
        "tables__MAX_LINE": st.sampled_from([80, 2**24, 2**24]),
    }
)


def renamed(changes: dict[str, int]) -> dict[str, int]:
    return {name.replace("__CHUNK", "___CHUNK"): value for name, value in changes.items()}


@settings(deadline=None, max_examples=250)
@given(files(), sizes)
def test_any_file_is_read_as_line_by_line(
    file: tuple[bytes, InteractionSource], changes: dict[str, int]
) -> None:
    content, source = file
    assert_equal(content, source, **renamed(changes))


@settings(deadline=None, max_examples=250)
@given(st.text('a,"\n\r\\%\0é \ufeff', max_size=60), st.sampled_from(["", "%"]), sizes)
def test_any_text_is_read_as_line_by_line(text: str, comment: str, changes: dict[str, int]) -> None:
    content = ("item_id,order_id\na,1\n" + text).encode()
    assert_equal(content, InteractionSource("a.csv", comment=comment), **renamed(changes))


@pytest.mark.parametrize(
    "malformed",
    [
        "b,2",
        "b,2,x,y",
        '"b" ,2,x',
        'b,2,"5" screen"',
        'b,2,"two\nlines"',
        "b,2,nul\0",
        "b,2,return\rhere,2,x",
        "% comment",
        "b,2,escaped\\,",
        "\ufeffb,2,x",
        ",,",
        "",
        '"",,""',
    ],
)
def test_a_line_that_is_not_plain_is_left_to_the_csv_module(malformed: str) -> None:
    splitter = PlainSplitter(",", 3, {"item": 0}, comment="%", escape="\\")
    with limits(plain__FEWEST=0):
        found = splitter.split(f"a,1,x\n{malformed}\nc,3,x\nd,4,x\n", 0, 0)
    if "\r" in malformed:
        assert found is None
        return
    assert found is not None
    more = malformed.count("\n")
    assert found.careful == list(range(1, 2 + more))
    assert found.plain.cells["item"].to_pylist() == ["a", "c", "d"]
    assert found.plain.lines.tolist() == [1, 3 + more, 4 + more]


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ('"b","2","x"', ["b", "2", "x"]),
        ('"b,c",2,""', ["b,c", "2", ""]),
        ('"b ""c""",2,""""', ['b "c"', "2", '"']),
        ("é,日本,\u2028", ["é", "日本", "\u2028"]),
        ("b , 2,NULL\r", ["b ", " 2", "NULL"]),
    ],
)
def test_a_plain_line_has_its_texts(line: str, texts: list[str]) -> None:
    splitter = PlainSplitter(",", 3, {"third": 2, "first": 0, "second": 1})
    with limits(plain__FEWEST=0):
        found = splitter.split(f"{line}\n", 10, 100)
    assert found is not None
    assert found.careful == []
    plain = found.plain
    assert [plain.cells[name][0].as_py() for name in ("first", "second", "third")] == texts
    assert (plain.lines.tolist(), plain.ends.tolist()) == ([11], [100 + len(line) + 1])


def test_rows_come_in_runs_between_the_lines_that_are_not_plain() -> None:
    splitter = PlainSplitter(",", 2, {"item": 0})
    with limits(plain__FEWEST=0):
        found = splitter.split("a,1\nb,1\nx\nc,1\nx\nx\nd,1\n", 0, 0)
    assert found is not None
    runs = {line: found.rows_from(line) for line in range(7)}
    shown = {line: run.cells["item"].to_pylist() for line, run in runs.items() if run}
    assert shown == {0: ["a", "b"], 1: ["b"], 3: ["c"], 6: ["d"]}


def test_most_lines_must_be_plain_and_a_short_text_is_read_without_pyarrow() -> None:
    splitter = PlainSplitter(",", 2, {"item": 0})
    assert splitter.split("a,1\n", 0, 0) is None
    with limits(plain__FEWEST=0):
        assert splitter.split("a,1\nx\nx\n", 0, 0) is None
        assert PlainSplitter("§", 2, {"item": 0}).split("a§1\n", 0, 0) is None


def test_a_large_file_with_odd_rows_is_the_same_in_either_way(tmp_path: Path) -> None:
    body = "".join(
        f"u{n % 50},{n // 4},i{n % 300},purchase,{n % 3},2025-12-{1 + n % 28:02} 08:{n % 60:02}\n"
        + ("u,1\n" if n % 500 == 7 else "")
        + ('u,1,i1,purchase,1,"31/12/2025"\n"u\n",1,i2,purchase,x,never\n' if n % 800 == 9 else "")
        for n in range(120_000)
    )
    source = InteractionSource("a.csv", quantity_above=0)
    content = (",".join(NAMES) + "\n" + body).encode()
    assert_equal(content, source)
    assert json.dumps(outcome(content, source)[1][0]) == (
        '{"input": "interactions.0.0", "file": "a.csv", "line": 10, '
        '"reason": "2 fields, 6 expected", "column": "", "value": ""}'
    )
