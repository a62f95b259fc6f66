"""What agents may ask: the input of each tool, with its bounds, as pydantic models."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from recommender.errors import DataError

MAX_SEEDS, MAX_ITEMS, MAX_N = 20, 50, 50
MAX_ID, MAX_NAME, MAX_EXPRESSION, MAX_WORDS, MAX_CATEGORY = 128, 40, 500, 200, 500

Q = TypeVar("Q", bound=BaseModel)


def _several(given: object) -> object:
    """One id is a list of one."""
    return [given] if isinstance(given, str) else given


ItemId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
Placement = Annotated[
    str,
    Field(
        max_length=MAX_NAME,
        description="name of a placement; recommender://recipe lists them (default: the first)",
    ),
]
Count = Annotated[
    int, Field(strict=True, ge=1, le=MAX_N, description=f"number of items, 1 to {MAX_N}")
]


class Question(BaseModel):
    """The input of a tool; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


class RelatedQuestion(Question):
    """Which related items are asked for."""

    items: Annotated[
        tuple[ItemId, ...],
        BeforeValidator(_several),
        Field(
            min_length=1,
            max_length=MAX_SEEDS,
            description=f"1 to {MAX_SEEDS} item ids; several, such as a basket, get one list",
        ),
    ]
    placement: Placement = ""
    n: Count = 10
    where: Annotated[
        str,
        Field(
            max_length=MAX_EXPRESSION,
            description="a condition on each item",
            examples=["price <= 1.5 * seed.price and stock > 0"],
        ),
    ] = ""
    boost: Annotated[
        str,
        Field(
            max_length=MAX_EXPRESSION,
            description="a number by which items are weighed, such as an attribute",
            examples=["margin"],
        ),
    ] = ""
    store: Annotated[
        str, Field(max_length=MAX_NAME, description="the store or region whose stock counts")
    ] = ""


class SearchQuestion(Question):
    """Which items are searched for."""

    words: Annotated[
        str, Field(min_length=1, max_length=MAX_WORDS, description="a few words of what is wanted")
    ]
    n: Count = 10
    category: Annotated[
        str,
        Field(
            max_length=MAX_CATEGORY,
            description="only this category, a path or its beginning",
            examples=["Garden > Tools"],
        ),
    ] = ""
    in_stock: Annotated[bool, Field(strict=True, description="only items in stock")] = False
    price_max: Annotated[
        float | None, Field(ge=0, allow_inf_nan=False, description="only up to this price")
    ] = None


class ExplainQuestion(Question):
    """Which pair of items is to be explained."""

    item: Annotated[ItemId, Field(description="id of the item whose list it is")]
    other: Annotated[ItemId, Field(description="id of the item to look for in the list")]
    placement: Placement = ""


class ItemsQuestion(Question):
    """Which records are asked for."""

    items: Annotated[
        tuple[ItemId, ...],
        BeforeValidator(_several),
        Field(min_length=1, max_length=MAX_ITEMS, description=f"1 to {MAX_ITEMS} item ids"),
    ]


class HealthQuestion(Question):
    """Nothing has to be said."""


def asked(model: type[Q], given: Mapping[str, Any]) -> Q:
    """The question that the arguments of a tool ask.

    Raises: DataError with the first fault, the value, and what may be given.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
    name = str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        names = ", ".join(model.model_fields) or "none"
        raise DataError(f"{name!r:.60}: unknown argument; there are: {names}")
    described = model.model_fields[name].description or "see the tool's schema"
    if fault["type"] == "missing":
        raise DataError(f"{name}: is missing; give {described}")
    raise DataError(f"{name} = {given[name]!r:.60}: {fault['msg']}; give {described}")
