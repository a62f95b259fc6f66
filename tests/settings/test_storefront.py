from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.settings.loading import load
from recommender.settings.storefront import PlacementPage, StorefrontSettings

SHOP = 'shop = "acme"\n'


def job_says(folder: Path, text: str) -> object:
    path = folder / "shop.toml"
    path.write_text(SHOP + text + '[interactions]\npath = "orders.csv"\n')
    return load(path).job().storefront


def test_what_is_set_reaches_the_job_and_the_rest_does_not(tmp_path: Path) -> None:
    assert job_says(tmp_path, "") == {}
    assert job_says(tmp_path, '[placements.related]\nheading = "More"\n') == {
        "headings": {"related": {"": "More"}}
    }
    assert job_says(tmp_path, "[placements.next]\nexplore = 0.1\n") == {
        "explore": {"next": 0.1},
        "new_events_max": 5,
        "new_impressions_max": 1000,
    }
    assert job_says(tmp_path, "[storefront]\nleave_out_bought = false\n") == {
        "sessions": {"decay": 0.8, "kinds": {}, "leave_out_bought": False}
    }


def test_languages_are_those_of_titles_and_headings(tmp_path: Path) -> None:
    text = (
        '[storefront]\nlanguage = "en"\n[placements.related]\n'
        'heading = { en = "More", fr = "Aussi" }\n[catalogue.columns]\ntitles = { de = "t" }\n'
    )
    found = job_says(tmp_path, text)
    assert isinstance(found, dict)
    assert (found["language"], found["languages"]) == ("en", ["de", "fr"])


def test_zero_new_events_is_a_setting() -> None:
    pages = {"related": PlacementPage(explore=0.1)}
    assert StorefrontSettings(new_events_max=0).plain(pages, {})["new_events_max"] == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[placements.relatd]\nexplore = 0.1\n", "placements.relatd: the recipe has related"),
        ("[placements.related]\nexplore = 0.6\n", "placements.related.explore = '0.6': Input"),
        (
            "[placements.related]\nheding = 'x'\n",
            "unknown setting 'placements.related.heding'",
        ),
        ("[placements.related]\nheading = ''\n", "placements.related.heading"),
        ("[placements.related]\nheading = { 'd e' = 'x' }\n", "write a language as de or pt-BR"),
        (
            "[placements.related]\nheading = { de = 'x' }\n",
            "storefront.language: name the",
        ),
        ("[storefront]\nlanguage = 'x_y'\n", "write a language as de"),
        ("[storefront]\nkinds = { view = -1 }\n", "storefront.kinds.view = '-1': Input"),
        ("[storefront]\ndecay = 0\n", "storefront.decay = '0': Input"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        job_says(tmp_path, text)
    assert reason in str(refused.value)
