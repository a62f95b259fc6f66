import json

import pytest

from recommender.evaluation import user_protocols
from recommender.ranking.rankers import questions
from recommender.serving.storefront import (
    DECAY,
    NO_STOREFRONT,
    BundleTerms,
    Storefront,
    decode_storefront,
)

WHOLE = {
    "id": "",
    "language": "en",
    "languages": ["de", "fr"],
    "headings": {"related": {"": "You may also like", "de": "Passt dazu"}},
    "sessions": {"decay": 0.5, "kinds": {"view": 1, "cart": 2.5}, "leave_out_bought": False},
    "explore": {"related": 0.1},
    "new_items": {"Garden": ["a", "b"]},
    "bundles": {"placement": "with", "min_score": 0.1, "discount": 0.2, "categories": {"A": 0.3}},
    "later": 1,
}


def test_a_storefront_is_read_whole() -> None:
    assert decode_storefront(json.dumps(WHOLE).encode()) == Storefront(
        {"related": {"": "You may also like", "de": "Passt dazu"}},
        "en",
        ("de", "fr"),
        0.5,
        {"view": 1.0, "cart": 2.5},
        leave_out_bought=False,
        explore={"related": 0.1},
        new_items={"Garden": ("a", "b")},
        bundles=BundleTerms("with", 0.1, 0.2, {"A": 0.3}),
    )
    assert decode_storefront(b'{"id": ""}') == NO_STOREFRONT


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "a"},
        {"languages": [1]},
        {"languages": ["dé\r\n"]},
        {"language": None},
        {"headings": {"related": "text"}},
        {"headings": {"related": {"de": 1}}},
        {"sessions": {"decay": 2}},
        {"sessions": {"kinds": {"view": -1}}},
        {"explore": {"related": True}},
        {"new_items": {"Garden": [1]}},
        {"bundles": []},
    ],
)
def test_what_is_malformed_is_refused_whole(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="storefront: malformed"):
        decode_storefront(json.dumps(WHOLE | changed).encode())
    for raw in (b"{", None, "text", b"[]", b'"a"', b"[" * 100_000):
        with pytest.raises(ValueError, match=r".+"):
            decode_storefront(raw)


def test_a_heading_is_in_the_language_of_the_page_or_in_the_shops_own() -> None:
    front = decode_storefront(json.dumps(WHOLE).encode())
    assert front.heading("related", "de") == "Passt dazu"
    assert front.heading("related", "fr") == front.heading("related", "") == "You may also like"
    assert front.heading("next", "de") == ""
    assert front.language_for("fr-CA, en;q=0.5") == "fr"
    assert front.language_for("it") == "en"
    assert NO_STOREFRONT.language_for("fr") == ""


def test_the_discount_of_the_deepest_category_counts() -> None:
    terms = BundleTerms(discount=0.05, categories={"Garden": 0.1, "Garden > Tools": 0.2, "B": 0.0})
    assert terms.discount_of(["Garden > Tools > Rakes"]) == 0.2
    assert terms.discount_of(["Garden > Pots", "Kitchen"]) == 0.1
    assert terms.discount_of(["B"]) == 0.0
    assert terms.discount_of(["Gardens"]) == terms.discount_of([]) == 0.05


def test_sessions_decay_as_rankers_learn_and_evaluations_ask() -> None:
    assert DECAY == questions.DECAY == user_protocols.DECAY
