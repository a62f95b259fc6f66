"""Answers of the HTTP service as pydantic models, from which OpenAPI is made."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from recommender.core.related import Evidence, Status


class RelatedEntry(BaseModel):
    """One entry of a list."""

    id: Annotated[str, Field(examples=["7152455"])]
    score: Annotated[float, Field(examples=[0.8125])]
    evidence: Evidence
    explore: Annotated[
        bool | None, Field(description="true: a new item that took the place of another")
    ] = None
    record: dict[str, Any] | None = None


class RelatedAnswer(BaseModel):
    """The related list of one item, best first."""

    item: Annotated[str, Field(examples=["1098066"])]
    placement: Annotated[str, Field(examples=["related"])]
    generation: Annotated[int, Field(description="the build that answered, 0: none", examples=[8])]
    status: Status
    heading: Annotated[str | None, Field(description="of the placement, on a page")] = None
    items: list[RelatedEntry]
    dropped: Annotated[
        dict[str, int] | None, Field(description="entries that each clause of `where` dropped")
    ] = None
    token: Annotated[str, Field(examples=["s1JcVb0xTqe"])]


class BatchAnswer(BaseModel):
    """A list for each item, in the order of the request, or one merged list."""

    lists: list[RelatedAnswer]


class BundleEntry(BaseModel):
    """An item of a bundle."""

    id: str
    record: dict[str, Any]


class BundleAnswer(BaseModel):
    """An item and those that go with it; no items where no bundle holds, and the reason."""

    item: Annotated[str, Field(examples=["1098066"])]
    placement: Annotated[str, Field(examples=["bought_together"])]
    generation: int
    items: Annotated[list[BundleEntry], Field(description="the item first")]
    full_price_minor: Annotated[int, Field(description="the sum of the prices", examples=[4000])]
    price_minor: Annotated[int, Field(description="after the discount", examples=[3400])]
    currency: Annotated[str, Field(examples=["EUR"])]
    discount: Annotated[float, Field(description="a share of the price", examples=[0.15])]
    score: Annotated[float, Field(description="the lowest of all pairs")]
    reason: Annotated[str, Field(description="why there is no bundle")]
    dropped: Annotated[dict[str, int], Field(description="entries that could not be in it")]
    token: str


class FoundItem(BaseModel):
    """One item that a search found."""

    id: str
    score: float
    fit: Literal["words", "meaning", "both"]
    title: str


class SearchAnswer(BaseModel):
    """The items that a search found, best first, and the generation that answered."""

    query: str
    generation: int
    items: list[FoundItem]


class ShopHealth(BaseModel):
    """The status of the last list, and how long ago Redis was read; null where never."""

    last_status: Status | None
    read_seconds_ago: float | None


class HealthAnswer(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    shops: dict[str, ShopHealth]


class ReadyAnswer(BaseModel):
    """Whether each shop's store was read within two seconds and has a generation live."""

    status: Literal["ready", "not ready"]
    shops: dict[str, bool]


class ErrorAnswer(BaseModel):
    """Why a request was not answered."""

    detail: Annotated[str, Field(examples=["n = 'many': give a whole number"])]
