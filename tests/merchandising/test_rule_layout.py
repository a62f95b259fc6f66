"""Where the entries of a rule file stand."""

import pytest

from recommender.merchandising.rule_layout import RuleLayout, line_end
from tests.merchandising.rule_texts import WRITTEN


def entries(text: str, *names: str) -> list[str]:
    spans = RuleLayout(text, names).spans
    return [text[span.start : span.end] for span in spans.values()]


def test_entries_include_the_comments_that_belong_to_them() -> None:
    first, second = entries(WRITTEN["comments"], "one", "two")
    assert first == ("  -  # a dash alone\n    name: one\n    exclude: b\n      # below one")
    assert second.startswith("  - name: 'two'   # quoted\n")
    assert second.endswith("      # of text")


@pytest.mark.parametrize(
    ("written", "column", "newline", "separator"),
    [
        ("example", 2, "\n", "\n\n"),
        ("windows", 2, "\r\n", "\r\n\r\n"),
        ("tight", 0, "\n", "\n"),
        ("wide", 4, "\n", "\n\n"),
    ],
)
def test_the_style_of_a_file(written: str, column: int, newline: str, separator: str) -> None:
    text = WRITTEN[written]
    names = [str(number) for number in range(text.count("name:"))]
    layout = RuleLayout(text, names)
    assert (layout.column, layout.newline, layout.separator) == (column, newline, separator)


def test_one_empty_line_before_an_entry_goes_with_it() -> None:
    text = WRITTEN["wide"]
    layout = RuleLayout(text, ("one", "two"))
    assert text[layout.break_before("two") : layout.spans["two"].start] == "\n\n"
    assert text[: layout.break_before("two")].endswith("exclude: b\n")


def test_a_file_without_rules_has_an_origin_and_an_end() -> None:
    layout = RuleLayout(WRITTEN["bundles"], ())
    assert (layout.spans, layout.key, layout.origin) == ({}, None, 0)
    assert WRITTEN["bundles"][: layout.end].endswith("5%   # of all")
    assert RuleLayout(WRITTEN["nothing"], ()).origin == len("rules")


def test_the_end_of_a_line() -> None:
    assert line_end("ab\r\nc", 0) == 2
    assert line_end("ab\r\nc", 4) == 5
