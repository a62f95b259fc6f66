"""The parser, and the arguments that several commands share."""

from pathlib import Path

import pytest

from recommender.cli.arguments import USAGE, Parser, add_count, add_file, add_ids, add_json, ids_in
from recommender.errors import DataError


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="recommender x")
    parser.add_argument("--by", choices=["brand", "category"])
    add_ids(parser, "items", "ITEM", "items")
    add_json(parser)
    add_count(parser)
    add_file(parser, "--csv", "a table", required=False)
    parser.runs(lambda _options: 7)
    return parser


def test_what_is_not_given_has_a_default(parser: Parser) -> None:
    options = parser.parse_args([])
    assert (options.items, options.file, options.json, options.n) == ([], None, False, 12)
    assert (options.config, options.assignments, options.csv) == (None, [], None)
    assert options.command(options) == 7


def test_settings_are_set_in_turn(parser: Parser) -> None:
    options = parser.parse_args(["a", "b", "--set", "x=1", "--set", "y=2", "--csv", "t.csv"])
    assert (options.items, options.assignments) == (["a", "b"], ["x=1", "y=2"])
    assert options.csv == Path("t.csv")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "brnad"], "there is no 'brnad' (did you mean 'brand'?); there are brand, catego"),
        (["--by", "zzz"], "there is no 'zzz'; there are brand, category"),
        (["-n", "many"], "argument -n: invalid int value: 'many'"),
    ],
)
def test_a_usage_error_takes_one_line(
    parser: Parser, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parser.parse_args(arguments)
    assert left.value.code == USAGE
    error = capsys.readouterr().err
    assert error.startswith(f"recommender x: {said}")
    assert error.endswith("; see recommender x --help\n")
    assert error.count("\n") == 1


def test_ids_are_the_lines_of_a_file_as_they_are(tmp_path: Path) -> None:
    """A byte order mark and line ends of Windows are no part of an id; spaces are."""
    path = tmp_path / "ids.txt"
    path.write_bytes("\ufeffa\r\n\r\nü x \n00123".encode())
    assert list(ids_in(path)) == [(1, "a"), (3, "ü x "), (4, "00123")]
    assert list(ids_in(None)) == []


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"a\n\xff", "not UTF-8, byte 2")]
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "ids.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"ids\.txt: {reason}"):
        list(ids_in(path))
