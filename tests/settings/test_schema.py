"""The JSON Schema of settings, and the template."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from recommender.settings.loading import load, load_without_file
from recommender.settings.schema import settings_schema, template
from tests.support.repository import CONFIG


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(json.dumps(settings_schema()))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def faults(validator: Draft202012Validator, text: str) -> list[str]:
    tree = json.loads(json.dumps(tomllib.loads(text), default=str))
    return [error.message for error in validator.iter_errors(tree)]


FILES = [CONFIG / "default.toml", *sorted((CONFIG / "examples").glob("*.toml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_that_ship_are_valid(path: Path, validator: Draft202012Validator) -> None:
    assert faults(validator, path.read_text()) == []


@pytest.mark.parametrize("path", sorted((CONFIG / "recipes").glob("*.toml")), ids=lambda p: p.name)
def test_recipes_are_valid(path: Path, validator: Draft202012Validator) -> None:
    tree = {"shop": "x", "recipe": tomllib.loads(path.read_text())}
    assert [error.message for error in validator.iter_errors(tree)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'shop' is a required property"),
        ('shop = "x"\n[stoer]\nurl = ""', "'stoer' was unexpected"),
        ('shop = "x"\n[store]\nlease_s = 1', "less than the minimum of 3"),
        ('shop = "x"\n[[interactions]]\nptah = "o.csv"', "not valid under any of the given"),
        ('shop = "x"\n[interactions]\nptah = "o.csv"', "not valid under any of the given"),
        ('shop = "x"\n[catalogue]\npreset = "shopifi"', "'shopifi' is not one of"),
    ],
)
def test_an_editor_marks_faults(text: str, said: str, validator: Draft202012Validator) -> None:
    assert any(said in fault for fault in faults(validator, text))


def test_the_template_has_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "recommender.toml"
    path.write_text(template())
    assert load(path).plain() == load_without_file({"shop": "my-shop"}, base=tmp_path).plain()
    path.write_text(template().replace("# lease_s = 30.0", "lease_s = 60.0"))
    assert load(path).store.lease_s == 60.0
