"""What the small shop's lists should hold, by construction."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from data_fixtures.shop_items import Item, Theme


@dataclass(frozen=True, slots=True)
class Truth:
    """Related rows per row; both relations leave out the item and its own variants."""

    substitutes: tuple[tuple[int, ...], ...]
    complements: tuple[tuple[int, ...], ...]


def known_answers(items: tuple[Item, ...], themes: tuple[Theme, ...]) -> Truth:
    """Substitutes are of one family; complements of a named family, in the same series."""
    complements_of = {
        family.name: family.complements for theme in themes for family in theme.families
    }
    return Truth(
        substitutes=tuple(tuple(_substitutes(item, items)) for item in items),
        complements=tuple(
            tuple(_complements(item, complements_of[item.family], items)) for item in items
        ),
    )


def _substitutes(item: Item, items: tuple[Item, ...]) -> Iterable[int]:
    """Rows of the item's family that are neither the item nor one of its variants."""
    return (
        row
        for row, other in enumerate(items)
        if other.family == item.family
        and other is not item
        and not (item.group and other.group == item.group)
    )


def _complements(item: Item, families: Collection[str], items: tuple[Item, ...]) -> Iterable[int]:
    """Rows of the item's series in the families bought with it."""
    return (
        row
        for row, other in enumerate(items)
        if other.family in families and other.series == item.series
    )
