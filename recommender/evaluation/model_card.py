"""Model card: the README of a text model that was fine-tuned to a shop."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_CARD = """---
license: {licence}
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---

# {base}, fine-tuned to the shop {shop}

{base} with a residual layer behind it, learned by `recommender finetune` so that items that are
bought together come near. It reads the same texts as its base, in {dimensions} dimensions, and is
meant for related items of this shop and its like, not for other texts.

| | |
| --- | --- |
| base | {base}, SHA-256 of its files {digest} |
| licence of the base | {licence} |
| learned from | {events:,} events from {since} to before {until} |
| not looked at | anything later, but to stop and to judge: {until} to {judged_until} |
| held out | {held_out:,} items, never seen in tuning |
| seed | {seed} |
| parameters | {parameters} |

NDCG@10 of lists by text alone, basket protocol, on the half of the window's baskets that had no
say in when to stop; the gain with its 95 % interval:

| queries | n | before | after | gain |
| --- | --- | --- | --- | --- |
{rows}

In a recipe: `text = {{ use = "sentence-transformers", model = "FOLDER" }}`. Simulated cold items of
`recommender evaluate` are not cold to this model, but those that were held out.
"""


def card(facts: Mapping[str, Any], slices: Mapping[str, Mapping[str, Any]]) -> str:
    """The card; `facts` fill its table, `slices` are those of a judgement as JSON knows it."""
    rows = "\n".join(
        f"| {name} | {one['queries']:,} | {one['before']['value']:.4f} "
        f"| {one['after']['value']:.4f} | {one['gain']['value']:+.4f} "
        f"({one['gain']['low']:+.4f} to {one['gain']['high']:+.4f}) |"
        for name, one in slices.items()
    )
    return _CARD.format(rows=rows, **facts)


def day(seconds: int) -> str:
    """A day in UTC, of epoch seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def licence_of(folder: Path) -> str:
    """What a model's own card says of its licence, `unknown` where it says nothing."""
    path = folder / "README.md"
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[:60]:
            name, _, value = line.partition(":")
            if name.strip() == "license" and value.strip():
                return value.strip().strip("\"'")
    return "unknown"
