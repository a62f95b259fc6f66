import random
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.serving.expressions import (
    MAX_CHARACTERS,
    ExpressionError,
    condition,
    value,
)
from recommender.serving.field_columns import FieldColumns

ITEM = {
    "id": "2",
    "price": 12.0,
    "brand": "Acme",
    "stock": 3,
    "labels": ["vegan", "new"],
    "title": "Red lamp",
    "material-type": "oak",
    "discount": True,
}
SEED = {"id": "1", "price": 10.0, "brand": "Other", "category": "Garden > Tools"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price <= 1.5 * seed.price and brand != seed.brand and stock > 0", True),
        ("price < seed.price", False),
        ("10 < price < 13", True),
        ("10 < price < 11", False),
        ("brand == 'Acme' or stock == 0", True),
        ("not discount", False),
        ("brand in ['Acme', 'Other']", True),
        ("brand not in ('Other', 'Third')", True),
        ("'vegan' in labels", True),
        ("'lamp' in title", True),
        ("missing > 1", False),
        ("missing <= 1", False),
        ("missing == null", True),
        ("missing != null", False),
        ("missing * 2 < 5", False),
        ("price / (stock - 3) > 0", False),
        ("seed.brand == null or seed.category == 'Garden > Tools'", True),
        ("item['material-type'] == 'oak' and seed['price'] == 10", True),
        ("brand > 3", False),
        ("-price < 0", True),
        ("true and not false", True),
        ("discount + 1 == 2", False),
    ],
)
def test_conditions_hold_as_they_read(text: str, expected: bool) -> None:
    assert (condition(text).of(SEED)(FieldColumns([ITEM])) == [""]) is expected


def test_the_first_clause_that_fails_is_named_as_it_was_written() -> None:
    made = condition(" stock > 0 and (price < 5 or brand=='X') and missing == 1 ")
    assert made.clauses == ("stock > 0", "price < 5 or brand=='X'", "missing == 1")
    cheap = {**ITEM, "price": 4.0, "missing": 1}
    failed = made.of(SEED)(FieldColumns([ITEM, cheap, {**cheap, "stock": None}, {}]))
    assert failed == ["price < 5 or brand=='X'", "", "stock > 0", "stock > 0"]


def test_the_fields_that_are_read_are_known() -> None:
    assert condition("score > 0 and item['a-b'] == seed.x").names >= {"score", "a-b"}
    assert "score" not in condition("price > 1").names


def test_a_value_may_be_a_field_or_computed() -> None:
    assert value("stock * 2 + 1").of(SEED)(FieldColumns([ITEM, {}])) == [7, None]
    assert value("margin").of(SEED)(FieldColumns([ITEM])) == [None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("price = 3", "write =="),
        ("price <", "character"),
        ("__import__('os')", "use fields"),
        ("seed", "such as seed.price"),
        ("seed.brand.upper()", "use fields"),
        ("price.real", "use fields"),
        ("[x for x in labels]", "use fields"),
        ("f'{price}'", "use fields"),
        ("price ** 9 > 1", "use fields"),
        ("brand is 'Acme'", "compare with =="),
        ("lambda: 1", "use fields"),
        ("(price := 3) > 1", "use fields"),
        ("1" * 400 + " > 1", "too large"),
        ("a" * (MAX_CHARACTERS + 1), "at most 500"),
        ("price >\n1", "one line"),
        ("'\\x41' == brand", "without backslashes"),
        ("not " * 100 + "a", "shorter"),
        ("+".join("abcdefghij" * 10), "shorter"),
        ("", "character"),
        ("price > 1; stock", "character"),
        ("b'x' == brand", "use fields"),
        ("1j < 2", "use fields"),
        ("... == 1", "use fields"),
    ],
)
def test_what_is_no_expression_is_refused_with_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        condition(text)


PIECES = [
    *("price", "seed.price", "brand", "stock", "missing", "labels", "seed", "item['a']", "(", ")"),
    *("<", "<=", "==", "!=", "in", "not", "and", "or", "+", "-", "*", "/", "1", "2.5", "'a'", "[]"),
    *(",", "null", "true", ".", "=", "is", "if", "else", "lambda", ":", "**", "0x", "1e999", "{"),
]


def drawn(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return "".join(chr(rng.randrange(32, 0x2FFF)) for _ in range(rng.randrange(40)))
    return " ".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 12)))


def tried(text: str) -> bool:
    """Whether it compiles; nothing but its own error may be raised, by reading or evaluating."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = condition(text)
        except ExpressionError:
            return False
    made.of(SEED)(FieldColumns([ITEM, {}]))
    made.of({})(FieldColumns([{}]))
    return True


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    tried(text)


def test_drawn_expressions_raise_nothing_but_their_own_error() -> None:
    rng = random.Random(7)
    assert sum(tried(drawn(rng)) for _ in range(5_000)) > 100, "seed 7"


@pytest.mark.long
def test_a_million_drawn_expressions_take_a_millisecond_at_most() -> None:
    seed = random.randrange(10**9)
    rng, slow = random.Random(seed), []
    for _ in range(1_000_000):
        text = drawn(rng)
        began = time.process_time()
        tried(text)
        took = time.process_time() - began
        if took > 0.001:
            slow.append(text)
    repeated = [text for text in slow if min(_took(text) for _ in range(5)) > 0.001]
    assert not repeated, f"seed {seed}"


def _took(text: str) -> float:
    condition.cache_clear()
    began = time.process_time()
    tried(text)
    return time.process_time() - began
