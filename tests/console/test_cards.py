"""Cards: prices, states and addresses."""

import pytest

from recommender.console.cards import card, price_text
from recommender.console.live_shop import LiveShop


@pytest.mark.parametrize(
    ("price", "currency", "shown"),
    [
        (1234.5, "EUR", "1,234.50 EUR"),
        (1234.0, "JPY", "1,234 JPY"),
        (2.0, "", "2.00"),
        (float("nan"), "EUR", ""),
    ],
)
def test_prices_have_the_digits_of_their_currency(price: float, currency: str, shown: str) -> None:
    assert price_text(price, currency) == shown


def test_only_encrypted_images_and_web_addresses_are_shown(shop: LiveShop) -> None:
    seen = shop.seen()
    assert seen.loaded is not None
    cards = [card(seen.loaded, seen, row) for row in range(len(seen.loaded.catalogue))]
    assert {one.image for one in cards} == {"", "https://pictures.example/<x>.png"}
    assert {one.url for one in cards} == {"", "https://pictures.example/<x>.png"}
