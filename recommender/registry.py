"""Every name that a recipe may use, on one page. Implementations are imported when they are used.

To add an implementation: one file with a frozen dataclass, one line here. The line also enrols it
in the contract suite of its protocol.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from recommender.core.api_budget import TextApi
from recommender.core.recipe import Choice, Recipe
from recommender.errors import ConfigError

if TYPE_CHECKING:
    from recommender.core.protocols import (
        CandidateGenerator,
        ContentOrigin,
        Filter,
        Fusion,
        IndexBuilder,
        InteractionModel,
        Ranker,
        TextEncoder,
    )

Names = Mapping[str, str]

TEXT_ENCODERS: Names = MappingProxyType(
    {
        "sentence-transformers": (
            "recommender.vectors.content.sentence_transformer:SentenceTransformerEncoder"
        ),
        "hashing": "recommender.vectors.content.static:HashingEncoder",
        "openai": "recommender.vectors.content.openai:OpenAIEncoder",
        "static": "recommender.vectors.content.static:StaticEncoder",
    }
)
CONTENT_ORIGINS: Names = MappingProxyType(
    {
        "images": "recommender.vectors.content.images:ImageEncoder",
        "vectors": "recommender.vectors.content.vector_file:VectorFile",
    }
)
INTERACTION_MODELS: Names = MappingProxyType(
    {
        "als": "recommender.vectors.behaviour.als:AlternatingLeastSquares",
        "co-occurrence-svd": "recommender.vectors.behaviour.co_occurrence_svd:CoOccurrenceSVD",
        "item2vec": "recommender.vectors.behaviour.item2vec:Item2Vec",
    }
)
FUSIONS: Names = MappingProxyType(
    {
        "concatenation": "recommender.vectors.fusion.concatenation:Concatenation",
        "gated": "recommender.vectors.fusion.gated:Gated",
        "learned": "recommender.vectors.fusion.learned:Learned",
    }
)
INDEXES: Names = MappingProxyType(
    {
        "annoy": "recommender.vectors.index.annoy:Annoy",
        "auto": "recommender.vectors.index.ivf:Auto",
        "exact": "recommender.vectors.index.exact:Exact",
        "ivf": "recommender.vectors.index.ivf:InvertedFile",
    }
)
CANDIDATES: Names = MappingProxyType(
    {
        "nearest": "recommender.ranking.candidates.nearest:NearestGenerator",
        "co-occurrence": "recommender.ranking.candidates.co_occurrence:CoOccurrenceGenerator",
        "nearest-content": "recommender.ranking.candidates.nearest:NearestContentGenerator",
        "text-back-off": "recommender.ranking.candidates.co_occurrence:TextBackOffGenerator",
        "best-sellers": "recommender.ranking.candidates.popularity:BestSellersGenerator",
        "by-category": "recommender.ranking.candidates.nearest:ByCategoryGenerator",
        "same-brand": "recommender.ranking.candidates.nearest:SameBrandGenerator",
        "same-category": "recommender.ranking.candidates.nearest:SameCategoryGenerator",
        "trending": "recommender.ranking.candidates.popularity:TrendingGenerator",
    }
)
RANKERS: Names = MappingProxyType(
    {
        "identity": "recommender.ranking.rankers.identity:Identity",
        "learned": "recommender.ranking.rankers.learned:LearnedRanker",
        "complements": "recommender.ranking.rankers.affinity:Complements",
        "substitutes": "recommender.ranking.rankers.affinity:Substitutes",
        "trending": "recommender.ranking.rankers.trending:TrendingRanker",
    }
)
FILTERS: Names = MappingProxyType(
    {
        "in-stock": "recommender.ranking.filters.eligibility:InStock",
        "one-per-group": "recommender.ranking.filters.eligibility:OnePerGroup",
        "same-category": "recommender.ranking.filters.labels:SameCategory",
        "other-category": "recommender.ranking.filters.labels:OtherCategory",
        "same-brand": "recommender.ranking.filters.labels:SameBrand",
        "other-brand": "recommender.ranking.filters.labels:OtherBrand",
        "price-band": "recommender.ranking.filters.price:PriceBand",
        "minimum-support": "recommender.ranking.filters.eligibility:MinimumSupport",
        "at-most-per-brand": "recommender.ranking.filters.labels:AtMostPerBrand",
        "at-most-per-category": "recommender.ranking.filters.labels:AtMostPerCategory",
        "diverse": "recommender.ranking.filters.similarity:Diverse",
        "one-way": "recommender.ranking.filters.price:OneWay",
        "not-alike": "recommender.ranking.filters.similarity:NotAlike",
    }
)


def text_encoder(choice: Choice, api: TextApi | None = None) -> TextEncoder:
    """A text encoder of a recipe; one that asks a provider does so through `api`.

    Raises: ConfigError, as all functions here.
    """
    made: Any = _make("recipe.content", {**TEXT_ENCODERS, **CONTENT_ORIGINS}, choice)
    if api is not None and "api" in (field.name for field in dataclasses.fields(made)):
        made = dataclasses.replace(made, api=api)
    return cast("TextEncoder", made)


def content_origin(choice: Choice) -> ContentOrigin:
    """A content origin of a recipe that is no text encoder."""
    return cast("ContentOrigin", _make("recipe.content", CONTENT_ORIGINS, choice))


def text_choices(recipe: Recipe) -> dict[str, Choice]:
    """The content origins of a recipe that are text encoders, by name."""
    return {n: choice for n, choice in recipe.content.items() if choice.use not in CONTENT_ORIGINS}


def text_choice(recipe: Recipe) -> tuple[str, Choice]:
    """Name and choice of the first text encoder of a recipe, for callers that need a single one."""
    for name, choice in text_choices(recipe).items():
        return name, choice
    raise ConfigError("recipe.content has no text encoder, and this needs one")


def interaction_model(choice: Choice) -> InteractionModel:
    """An interaction model of a recipe."""
    return cast("InteractionModel", _make("recipe.interactions", INTERACTION_MODELS, choice))


def fusion(choice: Choice) -> Fusion:
    """The fusion of a placement."""
    return cast("Fusion", _make("fusion", FUSIONS, choice))


def index_builder(choice: Choice) -> IndexBuilder:
    """The index builder of a recipe."""
    return cast("IndexBuilder", _make("recipe.index", INDEXES, choice))


def candidate_generator(choice: Choice) -> CandidateGenerator:
    """A candidate source of a placement."""
    return cast("CandidateGenerator", _make("candidates", CANDIDATES, choice))


def ranker(choice: Choice) -> Ranker:
    """The ranker of a placement."""
    return cast("Ranker", _make("ranker", RANKERS, choice))


def item_filter(choice: Choice) -> Filter:
    """A filter of a placement."""
    return cast("Filter", _make("filters", FILTERS, choice))


def check(recipe: Recipe) -> None:
    """Make everything that a recipe names, so that a misspelt name stops a run before it starts.

    Raises: ConfigError for an unknown name or parameter, or a value out of range.
    """
    for choice in recipe.content.values():
        content_origin(choice) if choice.use in CONTENT_ORIGINS else text_encoder(choice)
    index_builder(recipe.index)
    for model in recipe.interactions.values():
        interaction_model(model)
    for placement in recipe.placements:
        fusion(placement.fusion)
        ranker(placement.ranker)
        for source in placement.candidates:
            candidate_generator(source)
        for choice in placement.filters:
            item_filter(choice)


def _make(where: str, names: Names, choice: Choice) -> object:
    if choice.use not in names:
        raise ConfigError(f"{where}: {_unknown('name', choice.use, names)}")
    module, _, name = names[choice.use].partition(":")
    implementation: Any = getattr(import_module(module), name)
    fields = dataclasses.fields(implementation)
    allowed = [field.name for field in fields if field.metadata.get("recipe", True)]
    hints = get_type_hints(implementation)
    for parameter, value in choice.parameters.items():
        if parameter not in allowed:
            raise ConfigError(f"{where}.{choice.use}: {_unknown('parameter', parameter, allowed)}")
        if expected := _expected(hints[parameter], value):
            raise ConfigError(f"{where}.{choice.use}: {parameter} = {value!r} is not {expected}")
    made: object = implementation(**choice.parameters)
    return made


def _expected(hint: object, value: object) -> str | None:
    """What a parameter should have been, None where `value` is that."""
    if get_origin(hint) in (Union, UnionType):
        expected = [_expected(one, value) for one in get_args(hint)]
        return None if None in expected else " or ".join(filter(None, expected))
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return None if value in choices else f"one of {', '.join(map(repr, choices))}"
    if hint is float:
        return None if type(value) in (int, float) else "a number"
    if hint in (int, str, bool):
        names = {int: "a whole number", str: "text", bool: "true or false"}
        return None if type(value) is hint else names[cast("type", hint)]
    return None


def _unknown(what: str, given: str, allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {what} {given!r}; {hint}allowed: {', '.join(names) or 'none'}"
