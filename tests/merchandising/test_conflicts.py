"""Rules that want different things of one list."""

import pytest

from recommender.merchandising.conflicts import conflicts
from tests.merchandising.rule_sets import application, goods

PIN = "pin: i000, position: 1"


def found(*rules: str) -> list[tuple[int, int, str]]:
    text = "\n".join(f"- {{name: r{number}, {rule}}}" for number, rule in enumerate(rules))
    matched = application(text, goods(12)).matched
    return [(one.number, one.other, one.message) for one in conflicts(matched)]


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (PIN, "exclude: i000", "is excluded by"),
        (PIN, "exclude: {brand: Acme}", "is excluded by"),
        (PIN, "exclude: {pair: [i005, i000]}", "is excluded by"),
        ("pin: {pair: [i005, i000]}, position: 1", "exclude: {brand: Acme}", "is excluded by"),
        ("boost: i000, by: 2", "exclude: {brand: Acme}", "has all that it moves excluded by"),
        ("bury: i000, by: 2", "exclude: i000", "has all that it moves excluded by"),
        (
            "boost: {pair: [i001, i000]}, by: 2",
            "exclude: i000, lists_of: {brand: Bolt}",
            "has all that it moves excluded by",
        ),
        ("replace: i000, with: i001", "exclude: i001", "puts in an item that is excluded by"),
        (
            "replace: i000, with: i001",
            "exclude: {pair: [i005, i001]}",
            "puts in an item that is excluded by",
        ),
        (
            "replace: i000, with: i001",
            "replace: i001, with: i002",
            "puts in an item that is itself replaced by",
        ),
        ("boost: i000, by: 2", "bury: i000, by: 2", "boosts what is buried by"),
        ("boost: {brand: Acme}, by: 2", "bury: {category: Home}, by: 2", "boosts what is buried"),
    ],
)
def test_two_rules_that_conflict(one: str, other: str, told: str) -> None:
    ((first, second, message),) = found(one, other)
    assert (first, second) == (0, 1)
    assert message.startswith(told)
    assert [(mine, theirs) for mine, theirs, _ in found(other, one)] == [(1, 0)]


def test_pins_of_one_position() -> None:
    assert found(PIN, "pin: i001, position: 1") == [(1, 0, "finds its position taken by")]
    assert found(PIN, "pin: i000, position: 2") == [
        (1, 0, "moves an item that is pinned elsewhere by")
    ]
    assert not found(PIN, "pin: i001, position: 2")
    assert not found(f"{PIN}, lists_of: i003", "pin: i001, position: 1, lists_of: i004")


def test_two_substitutes_for_one_item() -> None:
    assert found("replace: i000, with: i001", "replace: i000, with: i002") == [
        (1, 0, "comes too late for what is replaced by")
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PIN, "exclude: i001"),
        (PIN + ", lists_of: i003", "exclude: i000, lists_of: i004"),
        (PIN + ", placement: a", "exclude: i000, placement: b"),
        ("boost: {brand: Acme}, by: 2", "exclude: i000"),
        ("boost: {brand: Acme}, by: 2", "bury: i000, by: 2"),
        ("boost: {brand: Acme}, by: 2", "bury: {brand: Acme}, by: 2, lists_of: i001"),
        ("replace: i000, with: i001, lists_of: i003", "exclude: i001, lists_of: i004"),
        ("exclude: i000", "exclude: i000"),
        (PIN, "exclude: {brand: Dust}"),
    ],
)
def test_rules_that_go_together(one: str, other: str) -> None:
    assert not found(one, other)
