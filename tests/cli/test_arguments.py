"""The parser, the declaration of commands, and the arguments that several commands share."""

import argparse
from pathlib import Path

import pytest

from recommender.cli.arguments import (
    COUNT,
    ITEMS,
    JSON,
    USAGE,
    Command,
    Parser,
    argument,
    command,
    command_of,
    file,
    merge_common,
    number,
    renamed,
    repeated,
)


@command(
    "x",
    "Show x.",
    argument("--by", "what to group by", choices=["brand", "category"]),
    *ITEMS,
    JSON,
    COUNT,
    number("--share", 0.5, "share of the items"),
    repeated("--name", "NAME", "a name"),
    file("--csv", "a table"),
    renamed("--ratio", "--share"),
)
def seven(_options: argparse.Namespace) -> int:
    return 7


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="recommender x")
    parser.declare(seven)
    return parser


def test_what_is_not_given_has_a_default(parser: Parser) -> None:
    options = parser.parse_args([])
    assert (options.items, options.file, options.json, options.n) == ([], None, False, 12)
    assert (options.config, options.assignments, options.csv) == (None, [], None)
    assert (options.share, options.name) == (0.5, [])
    assert options.command(options) == 7


def test_settings_are_set_in_turn(parser: Parser) -> None:
    options = parser.parse_args(["a", "b", "--set", "x=1", "--set", "y=2", "--csv", "t.csv"])
    assert (options.items, options.assignments) == (["a", "b"], ["x=1", "y=2"])
    assert options.csv == Path("t.csv")


def test_help_shows_the_default_of_a_number(
    parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    shown = capsys.readouterr().out
    assert "number of items (default 12)" in shown
    assert "share of the items (default 0.5)" in shown


def test_a_command_with_actions_runs_one_of_them() -> None:
    parser = Parser(prog="recommender y")
    parser.declare(Command("y", actions=(seven,)))
    options = parser.parse_args(["x", "-n", "3"])
    assert (options.action, options.n, options.command(options)) == ("x", 3, 7)
    with pytest.raises(SystemExit):
        parser.parse_args([])


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


def test_an_old_name_is_accepted_with_a_warning(
    parser: Parser, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parser.parse_args(["--ratio", "0.25"]).share == "0.25"
    assert "--ratio is now --share" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    assert "--ratio" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["x", "--config", "y"], "x"),
        (["--config", "y", "--set", "a=b", "--debug", "x"], "x"),
        (["--config=y", "x"], "x"),
        (["--debug"], ""),
        ([], ""),
    ],
)
def test_the_command_stands_behind_common_options(arguments: list[str], named: str) -> None:
    assert command_of(arguments) == named


def test_common_options_behind_the_command_count_first() -> None:
    parser = Parser()
    parser.declare_common(before=True)
    parser.add_subparsers(dest="x").add_parser("x").declare(seven)
    before = ["--config", "a", "--set", "p=1", "--debug"]
    options = merge_common(parser.parse_args([*before, "x", "--set", "q=2"]))
    assert (options.config, options.assignments, options.debug) == ("a", ["p=1", "q=2"], True)
    assert merge_common(parser.parse_args([*before, "x", "--config", "b"])).config == "b"
