"""`recommender promote`."""

import argparse

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console


def run(options: argparse.Namespace) -> int:
    """Make the canary live for all requests."""
    settings = settings_of(options)
    with publisher(settings) as shop:
        live = shop.promote()
    console().print(f"Generation {live.id} of shop {settings.shop} is live for all requests.")
    return 0
