"""`recommender generations`."""

import argparse
from datetime import UTC, datetime

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, table


def run(options: argparse.Namespace) -> int:
    """List the published generations, newest first."""
    settings = settings_of(options)
    with publisher(settings) as shop:
        generations = shop.generations()
    if not generations:
        console().print(f"Nothing is published for shop {settings.shop} yet.")
        return 0
    rows = [
        (
            str(g.id),
            g.role or g.state,
            datetime.fromtimestamp(g.created_at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            f"{g.n_items:,}",
            f"{g.n_lists:,}",
            f"{g.n_entries:,}",
            g.recipe_digest[:12],
        )
        for g in generations
    ]
    headings = [
        ("generation", "right"),
        ("role", "left"),
        ("created (UTC)", "left"),
        ("items", "right"),
        ("lists", "right"),
        ("entries", "right"),
        ("recipe", "left"),
    ]
    console().print(table(headings, rows))
    return 0
