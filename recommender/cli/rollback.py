"""`recommender rollback`."""

import argparse

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console


def run(options: argparse.Namespace) -> int:
    """Make an earlier generation live."""
    settings = settings_of(options)
    with publisher(settings) as shop:
        live = shop.rollback(options.generation)
    console().print(f"Generation {live.id} of shop {settings.shop} is live.")
    return 0
