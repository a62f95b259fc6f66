"""The settings file of a shop in a folder of its own, encoded without a model."""

import json
from pathlib import Path

from tests.support.repository import REPOSITORY

SMALL_SHOP = REPOSITORY / "data_fixtures" / "small_shop"

SETTINGS = """
shop = "acme"

[interactions]
path = "orders.csv"

[recipe]
content.text = { use = "hashing", dimensions = 64 }

[recipe.interactions]
behaviour = { use = "co-occurrence-svd", dimensions = 16 }

[[recipe.placements]]
name = "related"
fusion = "gated"
candidates = ["nearest"]
ranker = "identity"
"""

CATALOGUE = """
[catalogue]
path = "catalogue.csv"
"""


def write_shop(
    folder: Path, orders: str, *, catalogue: str | None = None, settings: str = ""
) -> Path:
    """Write the files of a shop and return its settings file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.csv").write_text(orders)
    text = settings or SETTINGS
    if catalogue is not None:
        (folder / "catalogue.csv").write_text(catalogue)
        text += CATALOGUE
    path = folder / "recommender.toml"
    path.write_text(text)
    return path


def write_small_shop(folder: Path) -> Path:
    """The generated shop, with catalogue, orders and views."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recommender.toml"
    path.write_text(
        f"""
shop = "acme"

[catalogue]
path = {json.dumps(str(SMALL_SHOP / "catalogue.csv"))}

[[interactions]]
path = {json.dumps(str(SMALL_SHOP / "orders.csv"))}

[[interactions]]
path = {json.dumps(str(SMALL_SHOP / "views.csv"))}
kind = "view"
weights = {{ view = 0.2 }}

[recipe]
content.text = {{ use = "hashing", dimensions = 64 }}

[recipe.interactions]
behaviour = {{ use = "co-occurrence-svd", dimensions = 16 }}

[[recipe.placements]]
name = "related"
fusion = "gated"
candidates = ["nearest"]
ranker = "identity"
"""
    )
    return path


def orders(*baskets: tuple[str, ...]) -> str:
    """Order lines of baskets of item ids, with a title of its own for every item."""
    lines = ["order_id,user_id,item_id,title,time"]
    for number, basket in enumerate(baskets):
        lines += [
            f"o{number},customer-{number},{item},Title of {item},2026-01-{1 + number % 28:02d}"
            for item in basket
        ]
    return "\n".join(lines) + "\n"
