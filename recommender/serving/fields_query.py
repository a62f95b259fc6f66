"""What a call asks of the fields of items: records, a condition, a boost, a store."""

from functools import lru_cache
from typing import NamedTuple, TypedDict

from recommender.serving.expressions import KEPT, Condition, Value, condition, value

_TEXTS = "where", "boost", "store", "language"


class FieldsOptions(TypedDict, total=False):
    """What a call may ask of the fields of items.

    `records` shows them with the answer. `where` is a condition that every entry must meet, and
    `boost` a number by which entries are weighed, between half and twice the list's mean; both are
    expressions over fields of the item and of the seed (docs/serving.md). `store` names the store
    or region whose stock counts, `language` the languages that titles and headings should have,
    such as `de` or `fr-CA, en;q=0.5`.
    """

    records: bool
    where: str
    boost: str
    store: str
    language: str


class FieldsQuery(NamedTuple):
    """The options, compiled, and as they were given; the answer has at most `n` entries."""

    n: int
    texts: tuple[object, ...]
    records: bool
    where: Condition | None
    boost: Value | None
    store: str

    @property
    def whole_lists(self) -> bool:
        """Whether all entries of the lists are needed."""
        return self.where is not None or self.boost is not None


def checked_fields(n: int, options: FieldsOptions) -> FieldsQuery | None:
    """The options of a call with n entries, None where there are none.

    Raises: TypeError for an option of a wrong type or name; ExpressionError.
    """
    if len(options) == 1 and options.get("records") is True:
        return _records_alone(n)
    unknown = options.keys() - FieldsOptions.__annotations__.keys()
    if unknown:
        known = ", ".join(FieldsOptions.__annotations__)
        raise TypeError(f"{min(unknown)}: unknown; there are {known}")
    records = options.get("records", False)
    if not isinstance(records, bool):
        raise TypeError(f"records: true or false, not {type(records).__name__}")
    where, boost, store, _ = (str(options.get(name) or "") for name in _TEXTS)
    for name in _TEXTS:
        if not isinstance(options.get(name, ""), str):
            raise TypeError(f"{name}: text, not {type(options.get(name)).__name__}")
    if not (records or where or boost):
        return None
    return FieldsQuery(
        *(n, (records, where, boost, store), records),
        condition(where) if where else None,
        value(boost) if boost else None,
        store,
    )


@lru_cache(KEPT)
def _records_alone(n: int) -> FieldsQuery:
    return FieldsQuery(n, (True, "", "", ""), records=True, where=None, boost=None, store="")


def no_fields(n: int) -> FieldsQuery:
    """The query of a call that asks for no fields, where some are read all the same."""
    return FieldsQuery(n, (), records=False, where=None, boost=None, store="")
