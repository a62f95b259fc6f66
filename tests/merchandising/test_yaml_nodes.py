import pytest
import yaml

from recommender.merchandising.yaml_nodes import (
    Wrong,
    is_empty,
    line_of,
    mapping_of,
    required,
    text_of,
    value_of,
    values_of,
)


def node(text: str) -> yaml.Node:
    found = yaml.compose(text)
    assert found is not None
    return found


def test_scalars_are_texts_as_they_are_written() -> None:
    assert text_of(node("007")) == "007"
    assert text_of(node("No")) == "No"
    assert value_of(node("7"), int) == 7
    assert values_of(node("[a, b, a]"), str) == ("a", "b")
    assert values_of(node("a"), str) == ("a",)


def test_a_table_has_the_keys_that_it_may_have() -> None:
    fields = mapping_of(node("a: 1\nb: 2"), ("a", "b"), "a rule")
    assert line_of(fields["b"]) == 2
    assert required(node("a: 1"), fields, "a") is fields["a"]
    with pytest.raises(Wrong, match="there is no c"):
        required(node("a: 1"), fields, "c")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\na: 2", "a stands twice"),
        ("aa: 1", "unknown key 'aa'"),
        ("[1]", "a rule is a table"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(Wrong, match=reason) as refused:
        mapping_of(node(text), ("a",), "a rule")
    assert refused.value.line >= 1


def test_what_says_nothing_is_no_value() -> None:
    assert is_empty(node("''"))
    assert is_empty(node("~"))
    assert not is_empty(node("0"))
    for text in ("''", "[a]"):
        with pytest.raises(Wrong, match="value"):
            text_of(node(text))
    with pytest.raises(Wrong, match="the list is empty"):
        values_of(node("[]"), str)
    with pytest.raises(Wrong, match="invalid literal"):
        value_of(node("x"), int)
