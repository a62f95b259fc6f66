"""Every name that a recipe may use."""

import pytest

from recommender import registry
from recommender.core.api_budget import TextApi
from recommender.core.recipe import Choice, Placement
from recommender.errors import ConfigError
from tests.support.recipes import recipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content": {"text": Choice("hashin")}}, "did you mean 'hashing'"),
        ({"index": Choice("hnsw")}, "allowed: annoy, auto, exact, ivf"),
        ({"interactions": {"o": Choice("als", {"dimension": 8})}}, "did you mean 'dimensions'"),
        ({"placements": (Placement("r", Choice("gated", {"x": 1})),)}, "unknown parameter 'x'"),
        (
            {"placements": (Placement("r", Choice("gated"), filters=(Choice("in-stok"),)),)},
            "did you mean 'in-stock'",
        ),
        (
            {"content": {"text": Choice("hashing", {"dimensions": "8"})}},
            "dimensions = '8' is not a whole",
        ),
        (
            {"content": {"text": Choice("hashing", {"dimensions": True})}},
            "dimensions = True is not a whole",
        ),
    ],
)
def test_check_finds_what_a_recipe_misspells(changes: dict[str, object], message: str) -> None:
    registry.check(recipe())
    with pytest.raises(ConfigError, match=message):
        registry.check(recipe(**changes))


def test_every_registered_name_leads_somewhere() -> None:
    for names, make in (
        (registry.TEXT_ENCODERS, registry.text_encoder),
        (registry.INTERACTION_MODELS, registry.interaction_model),
        (registry.FUSIONS, registry.fusion),
        (registry.INDEXES, registry.index_builder),
        (registry.CANDIDATES, registry.candidate_generator),
        (registry.RANKERS, registry.ranker),
        (registry.FILTERS, registry.item_filter),
    ):
        for name in names:
            choice = Choice(name, {"path": "words.bin"} if name == "static" else {})
            assert make(choice) == make(choice)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"unit": "order"}, "unit = 'order' is not one of 'auto', 'basket', 'session', 'user'"),
        ({"half_life_days": "30"}, "half_life_days = '30' is not a number"),
        ({"half_life_days": True}, "half_life_days = True is not a number"),
        ({"width": 2.0}, "width = 2.0 is not a whole number"),
        ({"near_by_content": True}, "unknown parameter 'near_by_content'"),
    ],
)
def test_parameters_have_the_types_of_their_fields(
    parameters: dict[str, object], message: str
) -> None:
    registry.candidate_generator(Choice("text-back-off", {"half_life_days": 30}))
    with pytest.raises(ConfigError, match=f"candidates.text-back-off: {message}"):
        registry.candidate_generator(Choice("text-back-off", parameters))


def test_how_a_provider_is_asked_is_no_part_of_a_recipe() -> None:
    api = TextApi(url="http://127.0.0.1:1")
    choice = Choice("openai", {"model": "m", "dimensions": 8})
    assert registry.text_encoder(choice, api) != registry.text_encoder(choice)
    assert registry.text_encoder(Choice("hashing"), api) == registry.text_encoder(Choice("hashing"))
    with pytest.raises(ConfigError, match="unknown parameter 'api'; allowed: batch_texts"):
        registry.text_encoder(Choice("openai", {"model": "m", "dimensions": 8, "api": "x"}))
