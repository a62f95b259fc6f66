"""The live state as commands read it: from the store or, where that is off, from the records."""

from recommender.cli.session import publisher
from recommender.errors import DataError, StoreUnavailable
from recommender.live.live_state import LiveState, last_published, readable_state
from recommender.settings.model import Settings


def live_lists(settings: Settings) -> tuple[LiveState | None, str]:
    """What is live or, where the store is off, what was published last, and a sentence about it.

    Without a state there is nothing to look at: nothing is published, or the build is gone.
    """
    artifacts = settings.artifact_store()
    try:
        try:
            with publisher(settings) as shop:
                live = readable_state(artifacts, shop)
            described = f"lists of the live generation {live.number}"
        except StoreUnavailable:
            live = last_published(artifacts)
            described = f"lists of generation {live.number}, published last"
            described += " (the store cannot be asked)"
    except DataError:
        return None, "nothing is published yet"
    if not live.has_build:
        return None, f"the artifacts of generation {live.number} are gone"
    return live, described
