"""Pages: hostile texts are shown as texts, and the policy allows what a page contains only."""

from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from recommender.insights import diff
from recommender.merchandising.rule_set import MerchandisingRule, Selection
from recommender.pages.rendering import render
from tests.pages.html import HOSTILE, read


@pytest.mark.fault("S12")
def test_a_diff_shows_hostile_texts_as_texts() -> None:
    entry = diff.Entry(HOSTILE, HOSTILE, "text", stays=False)
    changed = diff.ChangedList(HOSTILE, HOSTILE, (entry,), (entry,))
    jump = diff.Jump(HOSTILE, HOSTILE, 1, 9)
    orphaned = ((HOSTILE, HOSTILE),) * 60
    found = diff.Difference(HOSTILE, 1, 1, 1, 1, 1, 0.5, orphaned, (changed,), (jump,))
    release = SimpleNamespace(number=1, role=HOSTILE, held=(HOSTILE,))
    page = render("diff.html", title=HOSTILE, old=release, new=release, differences=[found])
    parsed = read(page)
    assert parsed.scripts == []
    assert parsed.text.count(HOSTILE) > 60
    assert "and 10 more" in parsed.text
    assert f"{HOSTILE}: 1 to 9 lists" in " ".join(parsed.text.split())


@pytest.mark.fault("S12")
def test_a_rule_preview_shows_hostile_texts_as_texts() -> None:
    entry = diff.Entry(HOSTILE, HOSTILE, "rule", stays=False)
    changed = diff.ChangedList(HOSTILE, HOSTILE, (entry,), (entry,), (HOSTILE,))
    rule = MerchandisingRule(HOSTILE, "exclude", Selection(brands=(HOSTILE,)))
    found = diff.Preview("related", 12, 1, 1, (changed,))
    page = render("rule_preview.html", title=HOSTILE, rules=(rule,), preview=found)
    parsed = read(page)
    assert parsed.scripts == []
    assert parsed.text.count(HOSTILE) > 8
    assert parsed.text.count("rule") >= 2


@pytest.mark.fault("S12")
def test_a_map_shows_hostile_texts_as_texts() -> None:
    data = {"names": [HOSTILE], "points": [[0.5, 0.5, 0, HOSTILE, HOSTILE]]}
    page = render(
        "cluster_map.html",
        scripts=("cluster_map.js",),
        title=HOSTILE,
        name=HOSTILE,
        n_items=1,
        n_groups=1,
        n_drawn=1,
        data=data,
    )
    parsed = read(page)
    assert parsed.data == [data]
    assert len(parsed.scripts) == 1


def test_a_template_that_lacks_a_value_fails() -> None:
    with pytest.raises(UndefinedError, match="'old' is undefined"):
        render("diff.html", title="acme", differences=[])
