"""Pages with charts: every system and every item is there, and every text is shown as text."""

from pathlib import Path

import numpy as np
import pytest

from recommender.cli.main import run
from recommender.evaluation.metrics import Interval
from recommender.insights.clusters import Cluster, Clusters
from recommender.pages.charts import cluster_page, interval_chart
from tests.pages.html import HOSTILE, read
from tests.support.shop_files import orders, write_shop, write_small_shop


@pytest.mark.fault("S12")
@pytest.mark.parametrize("protocol", ["basket", "next-item"])
def test_every_system_is_in_every_chart(tmp_path: Path, protocol: str) -> None:
    config, path = write_small_shop(tmp_path), tmp_path / "page.html"
    options = ["--config", str(config), "--protocol", protocol, "--html", str(path)]
    assert run(["evaluate", *options, "--folds", "1"]) == 0
    parsed = read(path.read_text())
    assert len(parsed.scripts) == 2
    *intervals, coverage, popularity = parsed.data
    ours = {"related"}
    theirs = {"best sellers", "EASE", "plain concatenation"}
    first = {row["name"] for row in intervals[0]["rows"]}
    last = {row["name"] for row in intervals[-1]["rows"]}
    assert first >= ours | theirs
    assert last >= theirs
    assert not last & ours
    assert {line["name"] for line in coverage["lines"]} == first
    assert [len(line["values"]) for line in coverage["lines"]] == [10] * len(first)
    for bar in popularity["bars"]:
        assert len(bar["values"]) == len(popularity["groups"])
        assert sum(bar["values"]) == pytest.approx(1)
    for name in ours | theirs:
        assert parsed.text.count(name) >= 3
    assert parsed.tags.count("ol") > 8
    assert ("misses the bar" in parsed.text) or ("clears the bar" in parsed.text)


def test_titles_and_names_are_shown_as_text(tmp_path: Path) -> None:
    titles = [f'{item} < y & "z"' for item in "abcdefgh"]
    baskets = [(item, other) for item in "abcdefgh" for other in "abcdefgh" if item < other]
    text = orders(*baskets)
    for item, title in zip("abcdefgh", titles, strict=True):
        text = text.replace(f"Title of {item}", '"' + title.replace('"', '""') + '"')
    config = write_shop(tmp_path, text)
    theirs, path = tmp_path / "theirs.csv", tmp_path / "page.html"
    theirs.write_text("item,related,score\na,b,1\n")
    options = ["--lists", f"{HOSTILE.replace('=', ':')}={theirs}", "--html", str(path)]
    days = ["--set", "evaluation.days=6", "--folds", "0"]
    assert run(["evaluate", "--config", str(config), *options, *days]) == 0
    page = path.read_text()
    parsed = read(page)
    assert HOSTILE.replace("=", ":") in {row["name"] for row in parsed.data[0]["rows"]}
    assert parsed.text.count(HOSTILE.replace("=", ":")) > 3
    assert "&lt; y &amp; &#34;z" in page
    assert "< y" not in page


def test_a_page_that_cannot_be_written_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_small_shop(tmp_path)
    path = tmp_path / "nowhere" / "page.html"
    assert run(["evaluate", "--config", str(config), "--folds", "0", "--html", str(path)]) == 3
    assert "No such file or directory" in capsys.readouterr().err


def test_the_state_of_a_difference_says_what_is_sure() -> None:
    means = {
        "better": Interval(0.02, 0.01, 0.03),
        "unsure": Interval(0.0, -0.01, 0.01),
        "worse": Interval(-0.02, -0.03, -0.01),
        "far": Interval(0.5, 0.4, 0.6),
    }
    chart = interval_chart("all", 9, means, signed=True)
    assert [row["state"] for row in chart["rows"]] == ["better", "other", "worse", "better"]
    assert chart["rows"][0] == {
        **{"name": "better", "value": 0.02, "low": 0.01, "high": 0.03, "state": "better"}
    }
    assert chart["low"] == -0.03
    assert 0.03 < chart["high"] < 0.4


def test_a_scale_of_means_begins_at_0() -> None:
    means = {"ours": Interval(0.2, 0.1, 0.3), "other": Interval(0.1, 0.05, 0.2)}
    chart = interval_chart("all", 9, means, ours="ours", signed=False)
    assert (chart["low"], chart["high"]) == (0, 0.3)
    assert [row["state"] for row in chart["rows"]] == ["ours", "other"]


def test_the_map_holds_what_is_drawn() -> None:
    groups = (
        Cluster(("tea", "pot"), np.array([2, 0], np.int32)),
        Cluster((), np.array([1], np.int32)),
    )
    clusters = Clusters.of(groups, 4)
    titles = ["a tea pot", HOSTILE, "tea pot", ""]
    rows, places = np.array([0, 1], np.int32), np.array([[-1, 1], [0.12345678, 0]], np.float32)
    parsed = read(cluster_page(HOSTILE, ["i0", "i1"], titles, clusters, rows, places))
    (data,) = parsed.data
    assert data["names"] == ["tea pot", ""]
    assert data["sizes"] == [2, 1]
    assert data["examples"] == ["tea pot; a tea pot", HOSTILE]
    assert data["points"] == [[-1, 1, 0, "i0", "a tea pot"], [0.1235, 0, 1, "i1", HOSTILE]]
    assert "3 items in 2 groups, 2 of them drawn." in " ".join(parsed.text.split())
