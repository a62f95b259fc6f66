from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from recommender.readers.sources import (
    Cancelled,
    CatalogueColumns,
    CatalogueSource,
    InteractionColumns,
    InteractionSource,
    paths,
)


def test_pydantic_validates_the_dataclasses_as_they_are() -> None:
    source = TypeAdapter(InteractionSource).validate_python(
        {
            "path": ["a.csv", "b.csv"],
            "columns": {"item": "sku", "basket": "order"},
            "weights": {"purchase": 1, "view": 0.1},
            "quantity_above": 0,
            "cancelled": {"column": "order", "pattern": "^C"},
        }
    )
    assert source == InteractionSource(
        path=("a.csv", "b.csv"),
        columns=InteractionColumns(item="sku", basket="order"),
        weights={"purchase": 1.0, "view": 0.1},
        quantity_above=0.0,
        cancelled=Cancelled("order", "^C"),
    )
    catalogue = TypeAdapter(CatalogueSource).validate_python(
        {"path": "c.csv", "columns": {"title": ["brand", "name"], "brand": ""}}
    )
    assert catalogue.columns == CatalogueColumns(title=("brand", "name"), brand="")


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        (InteractionSource, {"path": "a.csv", "quantity_over": 1}, "quantity_over"),
        (InteractionSource, {"path": "a.csv", "columns": {"itm": "sku"}}, "itm"),
        (InteractionSource, {"path": "a.csv", "cancelled": {"column": "a", "regex": ""}}, "regex"),
        (CatalogueSource, {"paths": "a.csv"}, "paths"),
        (CatalogueSource, {"columns": {"titel": "name"}}, "titel"),
        (CatalogueSource, {"scope": "warm"}, "scope"),
        (InteractionSource, {"path": "a.csv", "item_pattern": "("}, "item_pattern"),
        (InteractionSource, {"path": "a.csv", "weights": {"purchase": -1}}, "weights.purchase"),
    ],
)
def test_pydantic_refuses_misspelt_names_and_runs_the_checks(
    kind: type, values: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named.replace(".", r"\.")):
        TypeAdapter(kind).validate_python(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": ""}, r"path '': name at least one file"),
        ({"path": ()}, r"path \(\): name at least one file"),
        ({"path": ("a.csv", "")}, r"path .*: leave empty names out"),
        ({"path": ("a.csv", "a.csv")}, r"path .*: name a file once"),
        ({"weights": {}}, r"weights \{\}: give 1 to 127 kinds"),
        ({"weights": {str(n): 1.0 for n in range(128)}}, r"give 1 to 127 kinds"),
        ({"weights": {"view": float("nan")}}, r"weights.view nan: give a finite number from 0"),
        ({"weights": {"view": float("inf")}}, r"weights.view inf: give a finite number from 0"),
        ({"weights": {"view": -0.5}}, r"weights.view -0.5: give a finite number from 0"),
        ({"weights": {"": 1.0}}, r"weights '': name the kind"),
        ({"weights": {" view": 1.0}}, r"weights ' view': name the kind"),
        ({"quantity_above": float("nan")}, r"quantity_above nan: give a finite number"),
        ({"price_above": float("inf")}, r"price_above inf: give a finite number"),
        ({"item_pattern": "["}, r"item_pattern '\[' is no regular expression"),
        ({"time_zone": "Europe/Lundon"}, r"time_zone 'Europe/Lundon' is not a time zone; .*London"),
        ({"time_zone": "../etc"}, r"time_zone '\.\./etc' is not a time zone"),
        ({"time_zone": "Europe"}, r"time_zone 'Europe' is not a time zone"),
        ({"time_zone": ""}, r"time_zone '' is not a time zone"),
        ({"time_format": "%Q"}, r"time_format '%Q': use strptime directives"),
        ({"time_format": "%H:%M"}, r"time_format '%H:%M': use .* year, month and day"),
        ({"time_format": "iso"}, r"time_format 'iso': use"),
        ({"delimiter": ";;"}, r"delimiter ';;': give one character"),
        ({"delimiter": '"'}, r"delimiter '\"': give one character"),
        ({"delimiter": "\n"}, r"delimiter '\\n': give one character"),
        ({"encoding": "utf-9"}, r"encoding 'utf-9': name one that contains ASCII"),
        ({"escape": "ab"}, r"escape 'ab': give one character"),
        ({"skip_lines": -1}, r"skip_lines -1: give 0 or more"),
        ({"header": ("a", "a")}, r"header \('a', 'a'\): give every column a name"),
        ({"encoding": "rot13"}, r"encoding 'rot13': name one"),
        ({"columns": lambda: InteractionColumns(item="")}, r"item '': name the column"),
        ({"cancelled": lambda: Cancelled("", "x")}, r"cancelled.column '': name a column"),
        ({"cancelled": lambda: Cancelled("a", "*")}, r"cancelled.pattern '\*' is no regular"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_the_remedy(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        InteractionSource(
            **({"path": "a.csv"} | {k: v() if callable(v) else v for k, v in values.items()})
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"item": ""}, r"item '': name the column"),
        ({"title": ("a", "")}, r"title .*: leave empty names out"),
        ({"attributes": ("a", "a")}, r"attributes .*: name a column once"),
    ],
)
def test_wrong_catalogue_columns_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CatalogueColumns(**values)


@pytest.mark.parametrize("time_format", ["", "epoch", "%d/%m/%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"])
def test_usual_time_formats_are_taken(time_format: str) -> None:
    InteractionSource(path="a.csv", time_format=time_format)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "cp1252", "shift_jis"])
def test_usual_encodings_are_taken(encoding: str) -> None:
    CatalogueSource(path="a.csv", encoding=encoding)


def test_the_files_of_a_source() -> None:
    assert paths("") == ()
    assert paths("a.csv") == ("a.csv",)
    assert paths(("a.csv", "b.csv")) == ("a.csv", "b.csv")
