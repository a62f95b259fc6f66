"""Item names: the columns of one catalogue file, and what each is read as."""

from dataclasses import dataclass

from recommender.readers.header import Header
from recommender.readers.items import ATTRIBUTE
from recommender.readers.sources import CatalogueColumns


@dataclass(frozen=True, slots=True)
class ItemNames:
    """The columns that are read, "" for none; `texts` are those of `Items` that the file has."""

    item: str
    group: str
    price: str
    in_stock: str
    available_from: str
    texts: dict[str, tuple[str, ...]]

    def wanted(self) -> tuple[str, ...]:
        """All columns to read, each once."""
        singles = (self.item, self.group, self.price, self.in_stock, self.available_from)
        joined = (name for names in self.texts.values() for name in names)
        return tuple(dict.fromkeys(name for name in (*singles, *joined) if name))

    def ids(self) -> frozenset[str]:
        """The columns that hold ids."""
        return frozenset((self.item, self.group)) - {""}


def item_names(header: Header, columns: CatalogueColumns) -> ItemNames:
    """Find the columns of a catalogue file. Raises: ConfigError where one is missing."""

    def name(field: str) -> str:
        return header.name(f"catalogue.columns.{field}", getattr(columns, field), (field,))

    texts = {
        field: header.names(f"catalogue.columns.{field}", getattr(columns, field), (field,))
        for field in ("title", "description", "brand", "category")
    }
    for column in header.names("catalogue.columns.attributes", columns.attributes, ()):
        texts[ATTRIBUTE + column] = (column,)
    return ItemNames(
        item=name("item"),
        group=name("group"),
        price=name("price"),
        in_stock=name("in_stock"),
        available_from=name("available_from"),
        texts={field: names for field, names in texts.items() if names},
    )
