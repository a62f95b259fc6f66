"""Cards: what a page shows of an item, alone or as an entry of a list."""

from dataclasses import dataclass

from recommender.console.live_shop import Seen
from recommender.console.loaded import LoadedGeneration
from recommender.core.catalogue import Catalogue
from recommender.core.related import EVIDENCE
from recommender.serving.records import DIGITS

IMAGE = "https://"
"""What an image begins with that the console shows; it loads none without encryption."""


@dataclass(frozen=True, slots=True)
class Card:
    """An item as it is shown: `state` is ok, sold_out, hidden, unavailable or not_for_sale.

    `support` is how many events its behaviour rests on, 0 for a cold item.
    """

    item: str
    title: str
    brand: str
    category: str
    price: str
    image: str
    url: str
    state: str
    support: float

    @property
    def name(self) -> str:
        """The title, or the id of an item without one."""
        return self.title or self.item


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a list: its rank, its score, its evidence, and the rules that moved it."""

    card: Card
    rank: int
    score: float
    evidence: str
    rules: tuple[str, ...] = ()


def card(loaded: LoadedGeneration, seen: Seen, row: int) -> Card:
    """The card of an item of what is live."""
    catalogue = loaded.catalogue
    return _card(catalogue, row, _state(catalogue, seen, row), float(loaded.support[row]))


def card_of(seen: Seen, item: str) -> Card | None:
    """The card of an item by its id, None if it is not live."""
    row = seen.loaded.row(item) if seen.loaded else None
    return None if seen.loaded is None or row is None else card(seen.loaded, seen, row)


def entries(loaded: LoadedGeneration, seen: Seen, placement: str, row: int, n: int) -> list[Entry]:
    """The first n entries of the list of an item, as it is served."""
    served = loaded.placements[placement]
    found, deeds = served.effective.of(row)
    first = zip(
        found.rows[:n].tolist(), found.scores.tolist(), found.evidence.tolist(), strict=False
    )
    return [
        Entry(
            card(loaded, seen, listed),
            rank,
            score,
            EVIDENCE[code],
            tuple(
                deed.name or deed.rule
                for deed in deeds
                if deed.deed == "moved" and listed in deed.about
            ),
        )
        for rank, (listed, score, code) in enumerate(first, 1)
    ]


def price_text(price: float, currency: str) -> str:
    """A price with its currency, "" where it is unknown."""
    if price != price:  # NaN
        return ""
    return f"{price:,.{DIGITS.get(currency, 2)}f} {currency}".rstrip()


def _card(catalogue: Catalogue, row: int, state: str, support: float) -> Card:
    image, url = catalogue.image[row], catalogue.url[row]
    return Card(
        item=catalogue.ids.ids[row],
        title=catalogue.title[row],
        brand=catalogue.brand[row],
        category=catalogue.category[row],
        price=price_text(float(catalogue.price[row]), catalogue.currency[row]),
        image=image if image.startswith(IMAGE) else "",
        url=url if url.startswith(("https://", "http://")) else "",
        state=state,
        support=support,
    )


def _state(catalogue: Catalogue, seen: Seen, row: int) -> str:
    item = catalogue.ids.ids[row]
    if item in seen.hidden:
        return "hidden"
    if item in seen.unavailable:
        return "unavailable"
    if not catalogue.for_sale[row]:
        return "not_for_sale"
    return "ok" if catalogue.in_stock[row] else "sold_out"
