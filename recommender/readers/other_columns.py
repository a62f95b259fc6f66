"""Other columns: which columns of the files would join interactions and catalogue better."""

import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from recommender.errors import RecommenderError
from recommender.readers.files import InputFile
from recommender.readers.row_accounting import Quarantine
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.readers.tables import TableReader

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
    mapped = {getattr(events.columns, each.name) for each in fields(events.columns)}
    skipped = (mapped - {events.columns.item}) | USUAL
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
    if not name or (name, other) == (events.columns.item, catalogue[0].columns.item):
        return ""
    settings = {"interactions.columns.item": (name, events.columns.item)}
    settings["catalogue.columns.item"] = (other, catalogue[0].columns.item)
    changes = [f"{key} = {new!r}" for key, (new, old) in settings.items() if new != old]
    return f"{name} meets {share:.0%} of the catalogue's {other}; set {' and '.join(changes)}"


def _values(
    source: CatalogueSource | InteractionSource,
    files: Sequence[InputFile],
    skipped: set[str | None],
) -> dict[str, tuple[set[str], int]]:
    """The distinct values of each column in the first block, and how many there are in all."""
    with tempfile.TemporaryDirectory() as folder:
        quarantine = Quarantine(Path(folder, "quarantine"))
        reader = TableReader(quarantine, lambda _units: None, refused_share_max=1.0)
        try:
            with reader.open(files[0], source.layout) as table:
                names = [name for name in table.header.columns if name and name not in skipped]
                block = next(iter(table.blocks(list(dict.fromkeys(names)), ())), None)
        except RecommenderError:
            return {}
        finally:
            quarantine.end(keep=False)
    if block is None:
        return {}
    found = {}
    for name, cells in block.cells.items():
        values = [text.strip() for text in cells.tolist() if text.strip()]
        found[name] = (set(values), len(values))
    return found
