"""Figures of builds, the hub share counted from their lists."""

from pathlib import Path

from recommender import pipeline
from recommender.artifacts.runs import Run, all_runs
from recommender.build.gates import Gates
from recommender.insights.build_figures import build_figures
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop


def test_figures_are_those_of_the_runs_that_made_a_build(
    tmp_path: Path, publisher: Publisher
) -> None:
    hub = [("hub", f"x{number}", f"y{number}") for number in range(20)] * 2
    job = load(write_shop(tmp_path, orders(*hub))).job()
    pipeline.reindex(job, publisher, Gates())
    Run("acme", 2, "failed", {}, {}, error="no column").begin(job.artifacts)
    (found,) = build_figures(job.artifacts, all_runs(job.artifacts))
    assert (found.number, found.state, found.n_items, found.ndcg) == (1, "published", 41, None)
    assert found.created_at > 1_700_000_000
    assert found.largest_hub_share == found.hub_share["related"]
    assert 0.9 < found.hub_share["related"] <= 1


def test_a_build_whose_lists_are_gone_has_no_hub_share(
    tmp_path: Path, publisher: Publisher
) -> None:
    job = load(write_shop(tmp_path, orders(("a", "b"), ("b", "c")))).job()
    pipeline.reindex(job, publisher, Gates())
    (run,) = all_runs(job.artifacts)
    for step, key in run.artifacts:
        if step == "lists":
            job.artifacts.discard(step, key)
    (found,) = build_figures(job.artifacts, [run])
    assert found.hub_share == {}
    assert found.largest_hub_share is None
