"""The page: one file that loads nothing, every text escaped, every maker in every chart."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.evaluation.charts import bars, curves, dot_grid
from recommender.evaluation.intervals import Interval
from tests.support.shop_files import orders, write_shop, write_small_shop

VOID = {"meta"}


class Balanced(HTMLParser):
    """Collects the tags of a page; fails where one is closed that was not opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return parser


@pytest.mark.parametrize("protocol", ["basket", "next-item"])
def test_the_page_is_whole_and_loads_nothing(tmp_path: Path, protocol: str) -> None:
    config, path = write_small_shop(tmp_path), tmp_path / "page.html"
    options = ["--config", str(config), "--protocol", protocol, "--html", str(path)]
    assert run(["evaluate", *options, "--folds", "1"]) == 0
    page = path.read_text()
    assert not re.search(r"https?:|src=|<script|<link|@import|url\(", page)
    parsed = read(page)
    assert parsed.seen.count("svg") >= 4
    for name in ("related", "EASE", "plain concatenation"):
        assert parsed.text.count(name) >= 3
    assert parsed.seen.count("ol") > 8
    assert ("misses the bar" in page) or ("clears the bar" in page)


def test_titles_and_names_are_shown_as_text(tmp_path: Path) -> None:
    titles = [f'{item} < y & "z"' for item in "abcdefgh"]
    baskets = [(item, other) for item in "abcdefgh" for other in "abcdefgh" if item < other]
    text = orders(*baskets)
    for item, title in zip("abcdefgh", titles, strict=True):
        text = text.replace(f"Title of {item}", '"' + title.replace('"', '""') + '"')
    config = write_shop(tmp_path, text)
    theirs, path = tmp_path / "theirs.csv", tmp_path / "page.html"
    theirs.write_text("item,related,score\na,b,1\n")
    options = ["--lists", f"<script>alert(1)</script>={theirs}", "--html", str(path)]
    days = ["--set", "evaluation.days=6", "--folds", "0"]
    assert run(["evaluate", "--config", str(config), *options, *days]) == 0
    page = path.read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt; y &amp; &quot;z" in page
    assert "< y" not in page


def test_a_page_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_small_shop(tmp_path)
    path = tmp_path / "nowhere" / "page.html"
    assert run(["evaluate", "--config", str(config), "--folds", "0", "--html", str(path)]) == 3
    assert "No such file or directory" in capsys.readouterr().err


def test_dots_are_coloured_by_what_is_sure() -> None:
    column = {
        "better": Interval(0.02, 0.01, 0.03),
        "unsure": Interval(0.0, -0.01, 0.01),
        "worse": Interval(-0.02, -0.03, -0.01),
        "far": Interval(0.5, 0.4, 0.6),
    }
    drawn = dot_grid(list(column), {"all\n9 queries": column}, signed=True)
    found = dict(re.findall(r"<title>(\w+): .*?</title><line [^>]*stroke=\"(#\w+)\"", drawn))
    assert found == {
        **{"better": "#0072b2", "unsure": "#8a949e", "worse": "#d55e00", "far": "#0072b2"}
    }
    assert drawn.count("<polygon") == 1
    assert "+0.500" in drawn
    assert drawn.count("<circle") == 3


def test_labels_of_curves_do_not_overlap() -> None:
    named = {f"maker {number}": [0.1, 0.9 + number / 1000] for number in range(9)}
    read(drawn := curves(named, "maker 3"))
    places = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>maker', drawn)]
    gaps = [b - a for a, b in zip(sorted(places), sorted(places)[1:], strict=False)]
    assert len(places) == 9
    assert min(gaps) > 14


def test_bars_stand_for_shares() -> None:
    drawn = bars(["few", "many"], {"a<b": [0.25, 0.75], "other": [0.5, 0.5]})
    heights = [float(tall) for tall in re.findall(r'height="([\d.]+)" fill', drawn)]
    shares = [tall for tall in heights if tall != 12]
    assert shares[0] * 3 == pytest.approx(shares[2], abs=0.2)
    assert "a&lt;b" in read(drawn).text.replace("<", "&lt;")
    assert "a<b" not in drawn
