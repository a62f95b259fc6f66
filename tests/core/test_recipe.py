import pytest

from recommender import registry
from recommender.core.recipe import Choice, Placement, Recipe
from recommender.errors import ConfigError


def recipe(**changes: object) -> Recipe:
    parts: dict[str, object] = {
        "content": {"text": Choice("hashing")},
        "interactions": {"orders": Choice("als")},
        "index": Choice("exact"),
        "placements": (Placement("related", Choice("gated")),),
    }
    return Recipe(**(parts | changes))  # type: ignore[arg-type]


def test_digest_covers_every_name_and_parameter() -> None:
    changed = [
        recipe(),
        recipe(content={"text": Choice("hashing", {"dimensions": 64})}),
        recipe(content={"text": Choice("sentence-transformers")}),
        recipe(interactions={"clicks": Choice("als")}),
        recipe(index=Choice("auto")),
        recipe(placements=(Placement("related", Choice("gated"), depth=24),)),
        recipe(placements=(Placement("similar", Choice("gated")),)),
        recipe(placements=(Placement("related", Choice("gated"), filters=(Choice("in-stock"),)),)),
        recipe(placements=(Placement("related", Choice("gated"), kinds=("view",)),)),
        recipe(placements=(Placement("related", Choice("gated"), hub_share=0.1),)),
    ]
    assert len({made.digest for made in changed}) == len(changed)
    assert recipe().digest == recipe().digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"placements": ()}, "placements is empty"),
        ({"interactions": {"text": Choice("als")}}, "a content origin has that name"),
        ({"placements": (Placement("a", Choice("gated")),) * 2}, "stands twice"),
    ],
)
def test_recipes_that_may_not_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe(**changes)


@pytest.mark.parametrize(
    "parameters",
    [
        {"name": "a b"},
        {"name": ""},
        {"name": "é"},
        {"depth": 0},
        {"shown": 40},
        {"depth": 5000},
        {"min_score": 1.5},
        {"candidates": ()},
        {"hub_share": -0.1},
        {"hub_share": 1.5},
    ],
)
def test_placements_that_may_not_be(parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="placement"):
        Placement(**({"name": "related", "fusion": Choice("gated")} | parameters))  # type: ignore[arg-type]


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


def test_kinds_are_a_set_and_what_is_not_set_is_not_written() -> None:
    plain = Placement("related", Choice("gated"))
    assert not {"kinds", "hub_share"} & plain.plain().keys()
    one = Placement("related", Choice("gated"), kinds=("view", "cart", "view"))
    other = Placement("related", Choice("gated"), kinds=("cart", "view"))
    assert one == other
    assert one.plain()["kinds"] == ["cart", "view"]


def test_only_some_placements() -> None:
    placements = tuple(Placement(name, Choice("gated")) for name in ("one", "two", "three"))
    made = recipe(placements=placements)
    assert [one.name for one in made.only(["three", "one"]).placements] == ["three", "one"]
    with pytest.raises(ConfigError, match="placement 'four': the recipe has one, two, three"):
        made.only(["four"])
