import dataclasses

import pytest

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.readers.boilerplate import shared_sentences, without_sentences
from tests.readers.shop_folder import Folder

TERMS = "Free shipping on orders over $50."


def shop(descriptions: list[str], group: tuple[str, ...] = ()) -> Catalogue:
    ids = ItemIds(tuple(f"i{row:03d}" for row in range(len(descriptions))))
    made = Catalogue.of_titles(ids, [f"title {row}" for row in range(len(descriptions))])
    return dataclasses.replace(made, description=tuple(descriptions), group=group or made.group)


def described(n_items: int, n_with_terms: int, terms: str = TERMS) -> list[str]:
    return [
        f"Number {row} boils water. {terms if row < n_with_terms else ''} It is number {row}."
        for row in range(n_items)
    ]


def test_a_sentence_of_most_descriptions_is_left_out_and_counted() -> None:
    items = shop(described(100, 80))
    found = shared_sentences(items, 0.3)
    assert found == {TERMS.casefold()}
    made, counts = without_sentences(items, found)
    assert counts == {TERMS.casefold(): 80}
    assert made.description[0].split("\n") == ["Number 0 boils water.", "It is number 0."]
    assert made.description[99] == items.description[99]


@pytest.mark.parametrize(
    ("n_items", "n_with", "dropped"),
    [
        (1000, 400, True),
        (1000, 250, False),
        (20, 20, True),
        (20, 9, False),
        (5, 5, False),
    ],
)
def test_small_catalogues_need_a_larger_share(n_items: int, n_with: int, dropped: bool) -> None:
    assert bool(shared_sentences(shop(described(n_items, n_with)), 0.3)) == dropped


def test_the_variants_of_a_product_count_once() -> None:
    texts = described(60, 60)
    groups = tuple("one" if row < 58 else "" for row in range(60))
    assert not shared_sentences(shop(texts, groups), 0.3)


def test_short_values_and_a_share_of_nothing_leave_all_as_it_is() -> None:
    assert not shared_sentences(shop(described(50, 50, "100% cotton.")), 0.3)
    assert not shared_sentences(shop(described(50, 50)), 0)


def test_the_only_text_of_an_item_stays() -> None:
    items = dataclasses.replace(shop([TERMS] * 30), title=("",) * 30)
    made, counts = without_sentences(items, {TERMS.casefold()})
    assert made.description == items.description
    assert not counts


def test_paragraphs_of_mark_up_are_boilerplate_too(folder: Folder) -> None:
    terms = "<ul><li>Sold with two years of warranty</li></ul>"
    rows = [f"i{n:02d},Kettle {n},<p>Holds {n} litres</p>{terms}" for n in range(40)]
    folder.put("c.csv", "\n".join(["item_id,title,description", *rows]) + "\n")
    data = folder.read("c.csv")
    assert data.catalogue.description[:2] == ("Holds 0 litres", "Holds 1 litres")
    assert data.report.boilerplate == {"sold with two years of warranty": 40}
