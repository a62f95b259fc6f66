"""`recommender approve`."""

import argparse

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, progress
from recommender.insights import diff as releases
from recommender.publishing.embedded import save
from recommender.settings.model import EMBEDDED


def run(options: argparse.Namespace) -> int:
    """Make a build live that a gate held."""
    settings = settings_of(options)
    with publisher(settings) as shop:
        live = releases.approve(settings.artifact_store(), shop, options.run, progress)
        if settings.store.url == EMBEDDED:
            save(shop.store)
    console().print(
        f"Generation {live.id} of shop {settings.shop} is live: {live.n_lists:,} related lists."
    )
    return 0
