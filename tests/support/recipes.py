"""A small recipe that names one of everything."""

from recommender.core.recipe import Choice, Placement, Recipe


def recipe(**changes: object) -> Recipe:
    """The recipe, some of its parts changed."""
    parts: dict[str, object] = {
        "content": {"text": Choice("hashing")},
        "interactions": {"orders": Choice("als")},
        "index": Choice("exact"),
        "placements": (Placement("related", Choice("gated")),),
    }
    return Recipe(**(parts | changes))  # type: ignore[arg-type]
