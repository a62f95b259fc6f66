"""What may be asked over HTTP: query strings and bodies, checked before a lookup sees them."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

MAX_BATCH = 100
"""Items of a batch, and items to exclude."""
MAX_N = 1000
MAX_BODY_BYTES = 1 << 20
MAX_QUERY = 200
"""Characters of a search."""
MAX_HITS = 100


class Refusal(Exception):
    """A question that is not answered: its HTTP status, and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Question:
    """How a list is asked for; the fields are those of the lookup."""

    placement: str = "related"
    n: int = 12
    exclude: tuple[str, ...] = ()
    min_score: float = 0.0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Several items at once: a list for each, or one `merged` list for all of them.

    With `distinct`, no item stands in two of the lists.
    """

    items: tuple[str, ...]
    question: Question
    distinct: bool = False
    merged: bool = False


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """How items are searched for; the fields are those of `recommender.insights.search.Filters`."""

    query: str
    n: int = 12
    category: str = ""
    in_stock: bool = False
    price_max: float = math.inf


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: the generation that answered, and its items as JSON knows them."""

    generation: int
    items: tuple[Mapping[str, object], ...]


PLAIN = Question()


def question_of(query_string: bytes) -> Question:
    """The question in a query string; unknown names are passed over. Raises: Refusal."""
    if not query_string:
        return PLAIN
    try:
        given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True)
    except ValueError as error:
        raise Refusal(400, f"query: {error}") from error
    one = {name: values[-1] for name, values in given.items()}
    return Question(
        placement=one.get("placement", PLAIN.placement),
        n=_count(one.get("n", PLAIN.n)),
        exclude=_ids("exclude", given.get("exclude", [])),
        min_score=_score(one.get("min_score", PLAIN.min_score)),
        key=one.get("key", PLAIN.key),
    )


def search_of(query_string: bytes) -> SearchQuestion:
    """The search in a query string; unknown names are passed over. Raises: Refusal."""
    try:
        given = parse_qs(query_string.decode("latin-1"), keep_blank_values=True)
    except ValueError as error:
        raise Refusal(400, f"query: {error}") from error
    one = {name: values[-1] for name, values in given.items()}
    query = one.get("q", "").strip()
    if not query:
        raise Refusal(400, "q: give a few words")
    if len(query) > MAX_QUERY:
        raise Refusal(400, f"q: {len(query)} characters, give at most {MAX_QUERY}")
    price_max = one.get("price_max")
    return SearchQuestion(
        query=query,
        n=max(1, min(_count(one.get("n", PLAIN.n)), MAX_HITS)),
        category=one.get("category", ""),
        in_stock=_switch("in_stock", one.get("in_stock", "false")),
        price_max=math.inf if price_max is None else _price(price_max),
    )


def batch_of(body: bytes) -> Batch:
    """The batch in a JSON body; unknown names are refused. Raises: Refusal."""
    given = _table(body)
    unknown = given.keys() - _FIELDS
    if unknown:
        raise Refusal(400, f"{min(unknown)!r:.60}: there are {', '.join(sorted(_FIELDS))}")
    distinct, merged = (_flag(name, given.get(name, False)) for name in ("distinct", "merged"))
    if distinct and merged:
        raise Refusal(400, "distinct, merged: ask for one of them")
    items = _ids("items", given.get("items"))
    if not items:
        raise Refusal(400, f"items: give 1 to {MAX_BATCH} item ids")
    question = Question(
        placement=_text("placement", given.get("placement", PLAIN.placement)),
        n=_count(given.get("n", PLAIN.n)),
        exclude=_ids("exclude", given.get("exclude", [])),
        min_score=_score(given.get("min_score", PLAIN.min_score)),
        key=_text("key", given.get("key", PLAIN.key)),
    )
    return Batch(items, question, distinct, merged)


_FIELDS = frozenset(
    {"items", "placement", "n", "exclude", "min_score", "key", "distinct", "merged"}
)


def _table(body: bytes) -> Mapping[str, object]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "body: not JSON, or nested too deeply") from error
    if not isinstance(given, dict):
        raise Refusal(400, "body: not a JSON object")
    return given


def _count(given: object) -> int:
    """A number of entries, clamped to what a lookup answers at most."""
    if isinstance(given, str) and re.fullmatch("-?[0-9]+", given):
        given = int(min(max(float(given), 0), MAX_N))
    if isinstance(given, bool) or not isinstance(given, int):
        raise Refusal(400, f"n = {given!r:.40}: give a whole number")
    return min(max(given, 0), MAX_N)


def _score(given: object) -> float:
    try:
        score = float(given) if isinstance(given, str | int | float) else math.nan
    except (ValueError, OverflowError):
        score = math.nan
    if isinstance(given, bool) or not math.isfinite(score):
        raise Refusal(400, f"min_score = {given!r:.40}: give a number")
    return score


def _price(given: str) -> float:
    try:
        price = float(given)
    except ValueError:
        price = math.nan
    if not math.isfinite(price):
        raise Refusal(400, f"price_max = {given!r:.40}: give a number")
    return price


def _switch(name: str, given: str) -> bool:
    if given not in {"true", "false"}:
        raise Refusal(400, f"{name} = {given!r:.40}: give true or false")
    return given == "true"


def _text(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise Refusal(400, f"{name}: give a text")
    return given


def _flag(name: str, given: object) -> bool:
    if not isinstance(given, bool):
        raise Refusal(400, f"{name}: give true or false")
    return given


def _ids(name: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise Refusal(400, f"{name}: give a list of item ids")
    if len(given) > MAX_BATCH:
        raise Refusal(400, f"{name}: {len(given)} are too many, give at most {MAX_BATCH}")
    return tuple(given)
