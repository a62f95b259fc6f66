"""Requests of the HTTP service as pydantic models, by which they are validated."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import parse_qs

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from recommender.core.languages import MAX_CHARACTERS as MAX_PREFERENCES
from recommender.serving.bundles import FEWEST, MOST
from recommender.serving.expressions import ExpressionError, condition
from recommender.serving.queries import MAX_PLACEMENTS

MAX_BATCH = 100
"""Items of a batch, and items to exclude."""
MAX_N = 1000
MAX_ENTRIES, MAX_RECORDS = 5000, 1000
"""Entries of all lists of a batch, without and with their records."""
MAX_NAME, MAX_ID, MAX_TEXT = 40, 128, 1000
"""Characters of a placement, of an item id in a batch or to exclude, of any other text."""
MAX_QUERY = 200
"""Characters of a search."""
MAX_HITS = 100
OF_DECAY = "of one list for all: each item counts this much of the one before"

M = TypeVar("M", bound=BaseModel)


class RequestRefused(Exception):
    """A request that is not answered: its HTTP status, and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _clamped(given: object) -> object:
    """A whole number, clamped to 0..MAX_N. Raises: ValueError."""
    if isinstance(given, str) and re.fullmatch("-?[0-9]+", given):
        given = int(min(max(float(given), 0), MAX_N))
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError("not a whole number")  # noqa: TRY004 - pydantic reports no TypeError
    return min(max(given, 0), MAX_N)


def _not_bool(given: object) -> object:
    if isinstance(given, bool):
        raise ValueError("not a number")  # noqa: TRY004 - as above
    return given


def _at_most(length: int) -> AfterValidator:
    """Bounds a text; pydantic's own bound would refuse lone surrogates."""

    def check(text: str) -> str:
        if len(text) > length:
            raise PydanticCustomError("string_too_long", "too long", {"max_length": length})
        return text

    return AfterValidator(check)


def _expression(text: str) -> str:
    try:
        if text:
            condition(text)
    except ExpressionError as error:
        raise PydanticCustomError("expression", "{why}", {"why": str(error)}) from error
    return text


Expression = Annotated[str, AfterValidator(_expression)]
ListLength = Annotated[int, BeforeValidator(_clamped)]
FiniteNumber = Annotated[FiniteFloat, BeforeValidator(_not_bool)]
Flag = Annotated[bool, Field(strict=True)]
ItemIds = Annotated[tuple[Annotated[str, _at_most(MAX_ID)], ...], Field(max_length=MAX_BATCH)]


Language = Annotated[
    str,
    _at_most(MAX_PREFERENCES),
    Field(description="in place of the header Accept-Language", examples=["de-AT, en;q=0.5"]),
]


class ListsQuery(BaseModel):
    """How lists are asked for; the fields are those of the lookup."""

    model_config = ConfigDict(extra="forbid")

    n: Annotated[ListLength, Field(description=f"clamped to 0..{MAX_N}")] = 12
    exclude: ItemIds = ()
    min_score: FiniteNumber = 0.0
    key: Annotated[
        str, _at_most(MAX_TEXT), Field(description="of the visitor; decides who sees a canary")
    ] = ""
    records: Annotated[bool, Field(description="show the product record of each item")] = False
    where: Annotated[
        Expression,
        Field(description="a condition on each item", examples=["price <= 1.5 * seed.price"]),
    ] = ""
    boost: Annotated[
        Expression, Field(description="a number by which items are weighed", examples=["margin"])
    ] = ""
    store: Annotated[
        str, _at_most(MAX_NAME), Field(description="the store or region whose stock counts")
    ] = ""
    language: Language = ""


class RelatedQuery(ListsQuery):
    """How the list of one placement is asked for."""

    placement: Annotated[str, _at_most(MAX_NAME)] = "related"


class PageQuery(ListsQuery):
    """How the lists of several placements are asked for; no item is in two of them."""

    placements: Annotated[
        tuple[Annotated[str, _at_most(MAX_NAME)], ...],
        Field(min_length=1, max_length=MAX_PLACEMENTS, examples=[["related", "next"]]),
    ]

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        self.n = min(self.n, MAX_RECORDS // len(self.placements))
        return self


class BundleQuery(BaseModel):
    """How a bundle is asked for; the fields are those of the lookup."""

    model_config = ConfigDict(extra="forbid")

    exclude: ItemIds = ()
    n: Annotated[ListLength, Field(description=f"companions, clamped to {FEWEST}..{MOST}")] = MOST
    placement: Annotated[
        str, _at_most(MAX_NAME), Field(description="by default that of the shop's bundles")
    ] = ""
    key: Annotated[str, _at_most(MAX_TEXT)] = ""
    store: Annotated[str, _at_most(MAX_NAME)] = ""
    language: Language = ""


class SessionEvent(BaseModel):
    """What a visitor did with an item."""

    model_config = ConfigDict(extra="forbid")

    item: Annotated[str, _at_most(MAX_ID)]
    kind: Annotated[str, _at_most(MAX_NAME)] = "view"
    age: Annotated[Annotated[FiniteNumber, Field(ge=0)] | None, Field(description="in seconds")] = (
        None
    )


class BatchRequest(RelatedQuery):
    """Several items at once: a list for each, or one `merged` list for all of them.

    In place of `items`, a session has `events`, for which there is one list. Lists for each have at
    most `MAX_ENTRIES` entries together, so `n` is clamped for many items.
    """

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["items"]}, {"required": ["events"]}]}
    )

    items: Annotated[ItemIds, Field(min_length=1, examples=[["1098066", "866140"]])] = ()
    events: Annotated[
        tuple[SessionEvent, ...],
        Field(min_length=1, max_length=MAX_BATCH, description="a session: the newest weighs most"),
    ] = ()
    distinct: Annotated[Flag, Field(description="no item is in two of the lists")] = False
    merged: Annotated[Flag, Field(description="one list for all items, such as a basket")] = False
    decay: Annotated[FiniteNumber, Field(gt=0, le=1, description=OF_DECAY)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.items) == bool(self.events):
            raise ValueError(f"items: give a list of 1 to {MAX_BATCH} item ids, or else events")
        self.merged = self.merged or bool(self.events)
        if self.distinct and self.merged:
            raise ValueError("distinct, merged: ask for one of them; a session has one list")
        if self.decay is not None and not self.merged:
            raise ValueError("decay: ask for merged, too; it weighs the items of one list")
        if not self.merged:
            most = MAX_RECORDS if self.records else MAX_ENTRIES
            self.n = min(self.n, most // len(self.items))
        return self


class SearchRequest(BaseModel):
    """How items are searched for; the fields are those of `recommender.insights.search.Filters`."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY),
        Field(examples=["red christmas lights"]),
    ]
    n: Annotated[
        ListLength,
        AfterValidator(lambda n: max(1, min(n, MAX_HITS))),
        Field(description=f"clamped to 1..{MAX_HITS}"),
    ] = 12
    category: Annotated[str, _at_most(MAX_TEXT), Field(examples=["Garden > Tools"])] = ""
    in_stock: bool = False
    price_max: FiniteNumber = Field(default_factory=lambda: math.inf, examples=[9.99])


def parse_query(model: type[M], query_string: bytes) -> M:
    """Validate a query string; unknown names are refused. Raises: RequestRefused."""
    if not query_string:
        return _validated(model, {})
    try:
        given: Mapping[str, Any] = parse_qs(
            query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=2 * MAX_BATCH
        )
    except ValueError as error:
        raise RequestRefused(400, f"query: {error}") from error
    one = {name: values if name in _REPEATED else values[-1] for name, values in given.items()}
    return _validated(model, one)


def parse_batch(body: bytes) -> BatchRequest:
    """Validate a JSON body; unknown names are refused. Raises: RequestRefused."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(400, "body: not JSON, or nested too deeply") from error
    if not isinstance(given, dict):
        raise RequestRefused(400, "body: not a JSON object")
    return _validated(BatchRequest, given)


def _validated(model: type[M], given: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RequestRefused(400, _reason(error, sorted(model.model_fields))) from error


_REPEATED = frozenset({"exclude", "placements"})
_ADVICE = {
    "n": "give a whole number",
    "min_score": "give a number",
    "price_max": "give a number",
    "decay": "give a number above 0 and at most 1",
    "in_stock": "give true or false",
    "distinct": "give true or false",
    "merged": "give true or false",
    "items": f"give a list of 1 to {MAX_BATCH} item ids",
    "exclude": "give a list of item ids",
    "events": "give objects with item (a text), kind (a text) and age (seconds, from 0 on)",
    "placements": f"give 1 to {MAX_PLACEMENTS} names",
    "records": "give true or false",
    "q": f"give 1 to {MAX_QUERY} characters",
}
_QUOTED = frozenset({"n", "min_score", "price_max", "in_stock", "decay"})


def _reason(error: ValidationError, known: Sequence[str]) -> str:
    """The first fault, in one line; `known` are the names that the request may have."""
    faults = error.errors(include_url=False)
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    if not fault["loc"]:
        return str(fault["ctx"]["error"])
    name, given = str(fault["loc"][0]), fault["input"]
    match fault["type"]:
        case "extra_forbidden" if len(fault["loc"]) > 1:
            return f"{name}: unknown field {str(fault['loc'][-1])!r:.60}"
        case "extra_forbidden":
            near = get_close_matches(name[:MAX_NAME], known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            return f"{name!r:.60}: unknown parameter; {hint}"
        case "expression":
            return f"{name}: {fault['msg']}"
        case "string_too_long" if name != "q":
            return f"{name}: give at most {fault['ctx']['max_length']} characters"
        case "too_long" if name != "placements":
            return f"{name}: {len(given)} are too many, give at most {MAX_BATCH}"
    shown = f"{name} = {given!r:.40}" if name in _QUOTED else name
    return f"{shown}: {_ADVICE.get(name, 'give a text')}"
