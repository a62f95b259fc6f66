"""Live: the build that is live, asked of the store, or of the run records where that is off."""

from dataclasses import dataclass

from recommender.artifacts.runs import all_runs
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import find_build
from recommender.cli.session import publisher
from recommender.core.generation import Generation
from recommender.errors import ArtifactError, DataError, StoreUnavailable
from recommender.live.overlays import OverlayRecord, live_record
from recommender.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Live:
    """The build to look at and its generation, None where nothing is published.

    `record` holds what lies over the build; None where that cannot be known.
    """

    build: Artifact | None
    number: int | None
    told: str
    record: OverlayRecord | None = None


def live_build(settings: Settings) -> Live:
    """What is live; where the store is off, what was published last."""
    artifacts = settings.artifact_store()
    layers: tuple[Generation, ...] = ()
    try:
        with publisher(settings) as shop:
            _, layers = shop.layers()
        number, key = layers[-1].id, layers[-1].lists_key
        told = f"lists of the live generation {number}"
    except DataError:
        return Live(None, None, "nothing is published yet")
    except StoreUnavailable:
        published = [run for run in all_runs(artifacts) if run.state == "published"]
        if not published:
            return Live(None, None, "nothing is published yet")
        number, key = published[0].number, published[0].build
        told = f"lists of generation {number}, published last (the store cannot be asked)"
    try:
        return Live(find_build(artifacts, key), number, told, _record(artifacts, layers))
    except ArtifactError:
        return Live(None, number, f"the artifacts of generation {number} are gone")


def _record(artifacts: ArtifactStore, layers: tuple[Generation, ...]) -> OverlayRecord | None:
    try:
        return live_record(artifacts, layers) if layers else None
    except ArtifactError:
        return None
