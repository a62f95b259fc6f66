"""The settings that a command line names, the store they lead to, and the build that is live."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from recommender.artifacts.runs import all_runs
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build
from recommender.core.generation import Generation
from recommender.errors import ArtifactError, DataError, StoreUnavailable
from recommender.live.overlays import OverlayRecord, live_record
from recommender.publishing.embedded import Embedded, save
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import Store, open_store
from recommender.settings.loading import find_file, load
from recommender.settings.model import Settings
from recommender.settings.tables import EMBEDDED


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that `--config` and `--set` name. Raises: ConfigError."""
    return load(find_file(options.config), options.assignments)


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


@dataclass(frozen=True, slots=True)
class LiveBuild:
    """The build that is live, and the number of its generation.

    `build` and `number` are None when nothing is published; `build` is None when its artifacts
    are gone. `record` describes the overlays on the build; it is None when they are unknown.
    """

    build: Artifact | None
    number: int | None
    description: str
    record: OverlayRecord | None = None


def live_build(settings: Settings) -> LiveBuild:
    """Find the live build; when the store is unavailable, the one that was published last."""
    artifacts = settings.artifact_store()
    layers: tuple[Generation, ...] = ()
    try:
        with publisher(settings) as shop:
            _, layers = shop.layers()
        number, key = layers[-1].id, layers[-1].lists_key
        description = f"lists of the live generation {number}"
    except DataError:
        return LiveBuild(None, None, "nothing is published yet")
    except StoreUnavailable:
        published = [run for run in all_runs(artifacts) if run.state == "published"]
        if not published:
            return LiveBuild(None, None, "nothing is published yet")
        number, key = published[0].number, published[0].build
        description = f"lists of generation {number}, published last (the store is unavailable)"
    try:
        build = find_build(artifacts, key)
    except ArtifactError:
        return LiveBuild(None, number, f"the artifacts of generation {number} are gone")
    return LiveBuild(build, number, description, _record(artifacts, layers))


def _record(artifacts: ArtifactStore, layers: tuple[Generation, ...]) -> OverlayRecord | None:
    try:
        return live_record(artifacts, layers) if layers else None
    except ArtifactError:
        return None
