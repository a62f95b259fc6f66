"""Lint of a shop's files, and of its lists once there are some."""

from pathlib import Path

import numpy as np
import pytest

from recommender import pipeline
from recommender.build.contents import find_build
from recommender.build.gates import Gates
from recommender.build.job import Job
from recommender.insights import lint as lint_module
from recommender.insights.checks import KINDS
from recommender.insights.lint import Report, lint, near_texts
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.clustered_vectors import clustered
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
CATALOGUE = (
    "item_id,title,price\na,Red lamp,5\nb,red LAMP,5\nc,,0\nd,[bold]Rake,5\ne,x,5\nf,y,5\ng,New,5\n"
)


def job(path: Path) -> Job:
    return load(path).job()


def found(report: Report) -> list[tuple[str, str]]:
    ids = report.catalogue.ids.ids
    return [(finding.kind, ids[finding.row]) for finding in report.findings]


def test_without_a_build_the_catalogue_alone_is_checked(tmp_path: Path) -> None:
    report = lint(job(write_shop(tmp_path, orders(*BASKETS), catalogue=CATALOGUE)), None)
    assert report.placements == ()
    assert {"hub", "orphan"}.isdisjoint(kind for kind, _ in found(report))
    assert ("no-title", "c") in found(report)
    assert [finding.other >= 0 for finding in report.of_kind("same-title")] == [True, True]


def test_findings_come_by_kind_and_best_sellers_first(tmp_path: Path) -> None:
    """Items b and a share a title; b is in twelve baskets, a in nine."""
    report = lint(job(write_shop(tmp_path, orders(*BASKETS), catalogue=CATALOGUE)), None)
    order = list(KINDS)
    kinds = [kind for kind, _ in found(report)]
    assert kinds == sorted(kinds, key=order.index)
    assert [item for kind, item in found(report) if kind == "same-title"] == ["b", "a"]


def test_lists_are_checked_in_the_catalogue_as_it_is_now(
    tmp_path: Path, publisher: Publisher
) -> None:
    """Items without events are in no list; one of them was delisted since, and rows have moved."""
    path = write_shop(tmp_path, orders(*BASKETS), catalogue=CATALOGUE + "h,Old,5\n")
    path.write_text(
        path.read_text().replace('"identity"\n', '"identity"\nfilters = ["minimum-support"]\n')
    )
    live = pipeline.reindex(job(path), publisher, Gates()).generation
    build = find_build(job(path).artifacts, live.lists_key)
    before = lint(job(path), build)
    assert before.placements == ("related",)
    assert [item for kind, item in found(before) if kind == "orphan"] == ["g", "h"]
    (tmp_path / "catalogue.csv").write_text(CATALOGUE.replace("a,Red", "0,Zero,5\na,Red"))
    after = lint(job(path), build)
    assert [item for kind, item in found(after) if kind == "orphan"] == ["g"]


@pytest.mark.parametrize("exact_up_to", [10_000, 100])
def test_near_texts_are_found_block_by_block_without_the_item_itself(
    exact_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = clustered(700)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    monkeypatch.setattr(lint_module, "EXACT_UP_TO", exact_up_to)
    monkeypatch.setattr(lint_module, "BLOCK", 64)
    near = near_texts(matrix)
    assert near.rows.shape == (700, lint_module.NEAR)
    assert not (near.rows == np.arange(700)[:, None]).any()
    cosines = matrix @ matrix.T
    np.fill_diagonal(cosines, -2)
    nearest = cosines.argmax(axis=1)
    assert np.mean(near.rows[:, 0] == nearest) > 0.95
