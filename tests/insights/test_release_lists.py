"""The lists of one release in memory."""

from pathlib import Path

from recommender import pipeline
from recommender.build.gates import Gates
from recommender.insights.diff import release
from recommender.insights.release_lists import release_lists
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop


def test_a_list_is_found_by_item_and_placement(tmp_path: Path, publisher: Publisher) -> None:
    job = load(write_shop(tmp_path, orders(("a", "b"), ("b", "c"), ("a", "b", "c")))).job()
    pipeline.reindex(job, publisher, Gates())
    found = release_lists(job.artifacts, release(job.artifacts, publisher, "live"))
    entries = found.of("a", "related", 2)
    assert entries is not None
    assert {entry.id for entry in entries} == {"b", "c"}
    assert found.title("a") == "Title of a"
    assert found.of("nobody", "related", 2) is None
    assert found.of("a", "elsewhere", 2) is None
