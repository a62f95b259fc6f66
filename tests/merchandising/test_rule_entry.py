"""Rules as the text of an entry."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recommender.errors import DataError
from recommender.merchandising.rule_entry import RuleFields, entry_text, rule_of
from recommender.merchandising.rule_set import Selection

ALL: RuleFields = {
    "until": "2026-05-31",
    "name": "launch-kettle",
    "pin": "20012",
    "position": "1",
    "note": "Spring: the kettle leads",
    "lists_of": {"category": "Kitchen > Coffee", "brand": ["Moretti", "No"]},
    "placement": ["related"],
    "from": "2026-03-01",
}


def test_an_entry_has_the_order_and_the_quotes_of_the_documentation() -> None:
    assert entry_text(ALL, column=2).splitlines() == [
        "  - name: launch-kettle",
        '    note: "Spring: the kettle leads"',
        '    pin: "20012"',
        "    position: 1",
        '    lists_of: { category: Kitchen > Coffee, brand: [Moretti, "No"] }',
        "    placement: [related]",
        "    from: 2026-03-01",
        "    until: 2026-05-31",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_is_read_as_it_is(text: str) -> None:
    (read,) = yaml.safe_load(entry_text({"name": text, "exclude": [text]}, column=0))
    assert read == {"name": text, "exclude": [text]}
    if text.strip():
        assert rule_of({"name": "x", "exclude": {"brand": text}}).what == Selection((), (text,))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "x", "pin": "b", "position": "0"}, "rule 'x': position '0' is no whole number"),
        ({"name": "x", "exclude": "b\nc"}, "rule 'x': item id 'b"),
        ({"exclude": "b"}, "there is no name"),
        ({"name": "x", "exclude": "b", "from": "tomorrow"}, "from 'tomorrow' is no day"),
    ],
)
def test_fields_that_make_no_rule(fields: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rule_of(fields)
