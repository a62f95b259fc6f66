"""The live state, as the store or the run records give it; lists are tested with refresh."""

import dataclasses
from pathlib import Path
from typing import cast

import pytest

from recommender.artifacts.runs import Run
from recommender.artifacts.store import ArtifactStore
from recommender.core.generation import Generation
from recommender.errors import ArtifactError, DataError, StoreUnavailable
from recommender.live.live_state import last_published, live_state, readable_state
from recommender.live.overlays import OverlayRecord
from recommender.publishing.publisher import Publisher
from recommender.serving.codec import Pointer, View

FULL = Generation(3, "complete", 0, "digest", "build", 2, 2, 2, ("related",))


class Layers:
    """A publisher over which an overlay is live, whose record is the artifact of a key."""

    def __init__(self, record: str) -> None:
        over = dataclasses.replace(FULL, id=4, base=3, lists_key=record)
        self.answer = Pointer(4, View((4, 3), ("related",))), (over, FULL)

    def layers(self) -> tuple[Pointer, tuple[Generation, ...]]:
        return self.answer


def over(record: str) -> Publisher:
    return cast("Publisher", Layers(record))


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path, "acme")


def test_the_store_says_what_is_live_and_what_is_laid_over_it(store: ArtifactStore) -> None:
    record = OverlayRecord("build").with_rules({"digest": "", "rules": []})
    live = live_state(store, over(record.write(store).key))
    assert (live.number, live.overlay_known, live.record) == (3, True, record)
    assert live.pointer.fence == 4
    assert not live.has_build
    with pytest.raises(ArtifactError, match="made elsewhere; run recommender reindex"):
        _ = live.run


def test_without_the_record_of_an_overlay_only_the_build_is_known(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactError, match="is not there"):
        live_state(store, over("0" * 64))
    live = readable_state(store, over("0" * 64))
    assert (live.number, live.overlay_known, live.record) == (3, False, OverlayRecord("build"))
    assert live.pointer.fence == 4


def test_the_run_records_say_what_was_published_last(store: ArtifactStore) -> None:
    with pytest.raises(DataError, match="nothing is published yet"):
        last_published(store)
    for number, state in ((3, "published"), (5, "published"), (6, "failed")):
        run = Run("acme", number, "running", {}, {}, build=f"build {number}")
        run.begin(store)
        run.save(store, state=state, generation=dataclasses.asdict(FULL))
    live = last_published(store)
    assert (live.number, live.record) == (5, OverlayRecord("build 5"))
    assert (live.overlay_known, live.run.number) == (False, 5)
    with pytest.raises(StoreUnavailable, match="the store is unavailable"):
        _ = live.pointer
