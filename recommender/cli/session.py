"""What commands share: the settings that a command line names, and the store they lead to."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from recommender.publishing.embedded import Embedded
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import Store, open_store
from recommender.settings.loading import find_file, load
from recommender.settings.model import EMBEDDED, Settings


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that `--config` and `--set` name. Raises: ConfigError."""
    return load(find_file(options.config), options.assignments)


def embedded(settings: Settings) -> Embedded:
    """The embedded store of the state folder."""
    return Embedded(settings.state.folder)


@contextmanager
def store_url(settings: Settings) -> Iterator[str]:
    """The URL of the store; an embedded one is up while the block runs."""
    if settings.store.url == EMBEDDED:
        with embedded(settings).attach() as url:
            yield url
    else:
        yield settings.store.url


@contextmanager
def connection(settings: Settings) -> Iterator[Store]:
    """A connection to the store. Raises: StoreUnavailable."""
    with store_url(settings) as url, open_store(url) as store:
        yield store


@contextmanager
def publisher(settings: Settings) -> Iterator[Publisher]:
    """A publisher of the shop. Raises: StoreUnavailable."""
    with connection(settings) as store:
        yield Publisher(store, settings.shop, lease_s=settings.store.lease_s)
