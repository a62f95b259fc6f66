import pytest

from recommender.insights.column_words import CATALOGUE, IDS, INTERACTIONS
from recommender.insights.looks import plain


@pytest.mark.parametrize("fields", [CATALOGUE, INTERACTIONS], ids=["catalogue", "interactions"])
def test_words_are_plain_and_each_is_of_one_field(fields: dict[str, tuple[str, ...]]) -> None:
    words = [word for name, several in fields.items() if name != "item" for word in several]
    assert [word for word in (*words, *IDS) if plain(word) != word] == []
    assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Bestellnummer", "basket"),
        ("Num\u00e9ro de commande", "basket"),
        ("Increment ID", "basket"),
        ("Kundennummer", "user"),
        ("Bestelldatum", "time"),
        ("Qty Ordered", "quantity"),
        ("R\u00e9f\u00e9rence", "item"),
        ("Artikelnummer", "item"),
    ],
)
def test_names_of_columns_of_other_languages(name: str, field: str) -> None:
    assert plain(name) in INTERACTIONS[field]
