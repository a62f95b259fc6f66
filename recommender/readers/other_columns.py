"""Other columns: which columns of the files would join interactions and catalogue better."""

from collections.abc import Sequence
from dataclasses import fields

from recommender.errors import RecommenderError
from recommender.readers.columns import alternatives
from recommender.readers.files import InputFile
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.readers.tables import open_sample

SHARE_MIN = 0.5
"""The least share of a column's distinct values that another column must have."""
USUAL = {"user_id", "session_id", "order_id", "basket_id", "kind", "time", "quantity", "price"}
"""Columns of interactions that are read without being mapped, which hold no ids of items."""
UNIQUE_MIN = 0.9
"""The least share of a column's values that are distinct, so that it may hold ids."""


def better_columns(
    catalogue: tuple[CatalogueSource, Sequence[InputFile]],
    interactions: tuple[InteractionSource, Sequence[InputFile]],
) -> str:
    """The pair of columns that meets best, with the settings that map it, "" for none.

    Only the first block of the first file of each is looked at, and only columns that are read for
    nothing else.
    """
    events, files = interactions
    mapped = {
        name
        for each in fields(events.columns)
        if each.name != "item"
        for name in alternatives(getattr(events.columns, each.name) or "")
    }
    skipped = (mapped - set(alternatives(events.columns.item))) | USUAL
    sold = _values(events, files, skipped)
    listed = _values(*catalogue, set())
    met = (
        (len(values & others), len(values & others) / len(values), name, other)
        for name, (values, _) in sold.items()
        for other, (others, n_rows) in listed.items()
        if len(values) > 1 and len(others) >= UNIQUE_MIN * n_rows
    )
    _, share, name, other = max(
        (each for each in met if each[1] >= SHARE_MIN), default=(0, 0.0, "", "")
    )
    settings = {"interactions.columns.item": (name, events.columns.item)}
    settings["catalogue.columns.item"] = (other, catalogue[0].columns.item)
    changes = [
        f"{key} = {new!r}" for key, (new, old) in settings.items() if new not in alternatives(old)
    ]
    if not (name and changes):
        return ""
    return f"{name} meets {share:.0%} of the catalogue's {other}; set {' and '.join(changes)}"


def _values(
    source: CatalogueSource | InteractionSource,
    files: Sequence[InputFile],
    skipped: set[str],
) -> dict[str, tuple[set[str], int]]:
    """The distinct values of each column in the first block, and how many there are in all."""
    try:
        with open_sample(files[0], source.layout) as table:
            names = [name for name in table.header.columns if name and name not in skipped]
            block = next(iter(table.blocks(list(dict.fromkeys(names)), ())), None)
    except RecommenderError:
        return {}
    if block is None:
        return {}
    found = {}
    for name, cells in block.cells.items():
        values = [text.strip() for text in cells.tolist() if text.strip()]
        found[name] = (set(values), len(values))
    return found
