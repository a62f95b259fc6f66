"""The tables of a settings file: their defaults, and what they refuse."""

import tomllib
from pathlib import Path

import pytest

from recommender import registry
from recommender.errors import ConfigError
from recommender.settings.loading import load
from recommender.settings.tables import RecipeSettings
from tests.support.repository import CONFIG


def test_defaults_are_the_documented_file(tmp_path: Path) -> None:
    documented = load(CONFIG / "default.toml")
    file = tmp_path / "shop.toml"
    file.write_text('shop = "my-shop"\n')
    defaults = load(file)
    without_places = {"state": defaults.state}
    assert documented.model_copy(update=without_places) == defaults


def test_a_new_shop_gets_the_default_recipe() -> None:
    tree = tomllib.loads((CONFIG / "recipes" / "default.toml").read_text())
    made, default = RecipeSettings.model_validate(tree).recipe(), RecipeSettings().recipe()
    assert made.placements == default.placements
    assert made.index == default.index
    assert made.content["text"].use == default.content["text"].use
    assert made.interactions.keys() == default.interactions.keys()
    for name, choice in made.interactions.items():
        model = registry.interaction_model(choice)
        assert model == registry.interaction_model(default.interactions[name])


def test_quick_learns_nothing_and_asks_the_index_alone() -> None:
    tree = tomllib.loads((CONFIG / "recipes" / "quick.toml").read_text())
    (placement,) = RecipeSettings.model_validate(tree).recipe().placements
    assert placement.fusion.use == "gated"
    assert [source.use for source in placement.candidates] == ["nearest"]
    assert placement.ranker.use == "identity"


def test_a_wrong_secret_is_not_repeated(file: Path) -> None:
    for assignment in ("state.user_key=S3CR3T", "store.url=['S3CR3T']"):
        with pytest.raises(ConfigError) as caught:
            load(file, [assignment])
        assert "S3CR3T" not in str(caught.value)


@pytest.mark.parametrize(
    "setting", ["url=http://u:S3CR3T@h/v1", "key=S3CR3T x", "url=ftp://S3CR3T"]
)
def test_faults_of_a_text_api_tell_no_secret(tmp_path: Path, setting: str) -> None:
    config = tmp_path / "recommender.toml"
    config.write_text('shop = "acme"\n')
    with pytest.raises(ConfigError, match="text_api") as caught:
        load(config, [f"text_api.{setting}"])
    assert "S3CR3T" not in str(caught.value)
