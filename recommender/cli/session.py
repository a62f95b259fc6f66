"""The settings that a command line names, the store they lead to, and the build that is live."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from recommender.core.generation import Generation
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.live.live_state import LiveState, last_published, readable_state
from recommender.publishing.embedded import Embedded, save
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import Store, open_store
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import find_file, load
from recommender.settings.model import Settings
from recommender.settings.tables import EMBEDDED

DEADLINE_S = 10.0
UNREAD = frozenset({"stale", "fallback", "degraded"})
"""Answers of a lookup that could not read the store."""
RULE_FILE_TEXT = "rule file (default: the setting merchandising.rules)"
Answer = TypeVar("Answer")


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that `--config` and `--set` name. Raises: ConfigError."""
    return load(find_file(options.config), options.assignments)


def rule_path(settings: Settings, given: Path | None) -> Path:
    """The rule file that a command line names, else that of the settings. Raises: ConfigError."""
    path = given or settings.rule_file()
    if path is None:
        raise ConfigError("no rule file: name one, or set merchandising.rules")
    return path


def embedded(settings: Settings) -> Embedded:
    """The embedded store in the state folder."""
    return Embedded(settings.state.folder)


@contextmanager
def store_url(settings: Settings) -> Iterator[str]:
    """The URL of the store. An embedded store runs while the block runs."""
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


def save_embedded(settings: Settings, store: Store) -> None:
    """Save an embedded store to disk after a change; a server of the shop saves itself."""
    if settings.store.url == EMBEDDED:
        save(store)


def require_live(shop: Publisher) -> Generation:
    """The live generation. Raises: DataError when nothing is published; StoreUnavailable."""
    live = shop.live()
    if live is None:
        raise DataError(f"nothing is published for shop {shop.shop} yet; run recommender reindex")
    return live


def asked(
    settings: Settings, question: Callable[[RelatedItems], Answer]
) -> tuple[Answer, tuple[Generation, ...]]:
    """What a lookup answers, and the generations that it read, newest first.

    Raises: DataError when nothing is published; StoreUnavailable.
    """
    with store_url(settings) as url:
        with open_store(url) as store:
            shop = Publisher(store, settings.shop)
            require_live(shop)
            _, layers = shop.layers()
        with closing(RelatedItems(url, settings.shop, deadline_s=DEADLINE_S)) as lookup:
            return question(lookup), layers


def live_lists(settings: Settings) -> tuple[LiveState | None, str]:
    """What is live, or was published last if the store is unavailable, and its description.

    There is no state when nothing is published, or when the artifacts of the build are gone.
    """
    artifacts = settings.artifact_store()
    try:
        try:
            with publisher(settings) as shop:
                live = readable_state(artifacts, shop)
            description = f"lists of the live generation {live.number}"
        except StoreUnavailable:
            live = last_published(artifacts)
            description = f"lists of generation {live.number}, published last"
            description += " (the store is unavailable)"
    except DataError:
        return None, "nothing is published yet"
    if not live.has_build:
        return None, f"the artifacts of generation {live.number} are gone"
    return live, description
