"""Live: the build that is live, asked of the store, or of the run records where that is off."""

from dataclasses import dataclass

from recommender.artifacts import Artifact
from recommender.builds import find_build
from recommender.cli.session import publisher
from recommender.errors import ArtifactError, StoreUnavailable
from recommender.runs import all_runs
from recommender.settings import Settings


@dataclass(frozen=True, slots=True)
class Live:
    """The build to look at and its generation, None where nothing is published."""

    build: Artifact | None
    number: int | None
    told: str


def live_build(settings: Settings) -> Live:
    """What is live; where the store is off, what was published last."""
    artifacts = settings.artifact_store()
    try:
        with publisher(settings) as shop:
            generation = shop.live()
        number, key = (generation.id, generation.lists_key) if generation else (None, "")
        told = f"lists of the live generation {number}"
    except StoreUnavailable:
        published = [run for run in all_runs(artifacts) if run.state == "published"]
        number, key = (published[0].number, published[0].build) if published else (None, "")
        told = f"lists of generation {number}, published last (the store cannot be asked)"
    if number is None:
        return Live(None, None, "nothing is published yet")
    try:
        return Live(find_build(artifacts, key), number, told)
    except ArtifactError:
        return Live(None, number, f"the artifacts of generation {number} are gone")
