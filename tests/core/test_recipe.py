import pytest

from recommender.core.recipe import Choice, Placement
from recommender.errors import ConfigError
from tests.support.recipes import recipe


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
