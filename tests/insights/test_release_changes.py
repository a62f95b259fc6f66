"""Changes of what is live are recorded with what was live before and after."""

from pathlib import Path

import pytest

from recommender import pipeline
from recommender.artifacts.audit_log import AuditLog
from recommender.artifacts.store import ArtifactStore
from recommender.build.gates import Gates
from recommender.errors import ConfigError, GateHeld
from recommender.insights.release_changes import ReleaseChanges
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
FEWER: list[tuple[str, ...]] = [("a", "b"), ("a", "f")]


def reindexed(
    folder: Path, publisher: Publisher, baskets: list[tuple[str, ...]], share: float = 0.0
) -> ArtifactStore:
    job = load(write_shop(folder, orders(*baskets))).job()
    pipeline.reindex(job, publisher, Gates(overlap_min=0), canary_share=share)
    return job.artifacts


def test_approving_promoting_and_rolling_back_are_recorded(
    tmp_path: Path, publisher: Publisher
) -> None:
    artifacts = reindexed(tmp_path, publisher, BASKETS)
    log = AuditLog(tmp_path / "audit.jsonl")
    changes = ReleaseChanges(artifacts, publisher, log, "anna")
    with pytest.raises(GateHeld):
        reindexed(tmp_path, publisher, FEWER)
    assert changes.approve(2, canary_share=0.2).id == 2
    assert changes.promote().id == 2
    assert changes.rollback(1).id == 1
    reindexed(tmp_path, publisher, [*BASKETS, ("a", "x")], 0.1)
    with publisher.errors("reading"):
        canary = publisher.generations()[0].id
    assert changes.promote().id == canary
    with pytest.raises(ConfigError):
        changes.approve()
    found = [(one["what"], one["before"], one["after"]) for one in reversed(log.newest(9))]
    assert found == [
        ("approve", {"live": 1, "canary": None}, {"live": 1, "canary": 2}),
        ("promote", {"live": 1, "canary": 2}, {"live": 2, "canary": None}),
        ("rollback", {"live": 2, "canary": None}, {"live": 1, "canary": None}),
        ("promote", {"live": 1, "canary": canary}, {"live": canary, "canary": None}),
        ("approve", {"live": canary, "canary": None}, {}),
    ]
    assert {one["who"] for one in log.newest(9)} == {"anna"}
    assert "ConfigError" in log.newest(1)[0]["failed"]
