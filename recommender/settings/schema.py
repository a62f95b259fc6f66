"""What helps to write a settings file: the JSON Schema of one for editors, and a template."""

import dataclasses
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.json_schema import GenerateJsonSchema

from recommender.core.recipe import Choice
from recommender.settings.model import Settings
from recommender.settings.presets import presets, shipped

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FILE = "recommender.schema.json"


class _Defaults(GenerateJsonSchema):
    """Writes defaults as they stand in a settings file."""

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - as pydantic has it
        """The default as JSON."""
        return _plain(dft)


def settings_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a settings file.

    It knows names, types, ranges and defaults; what depends on several settings, and the parameters
    of what a recipe uses, are checked when the file is read.
    """
    schema = Settings.model_json_schema(schema_generator=_Defaults)
    definitions, tables = schema["$defs"], schema["properties"]
    for name, table in (("catalogue", "CatalogueSource"), ("interactions", "InteractionSource")):
        names = [*presets("catalogue" if name == "catalogue" else "interactions")]
        definitions[table]["properties"]["preset"] = {
            "type": "string",
            "enum": names,
            "description": "the mapping of a platform's export",
        }
    several = tables["interactions"]
    tables["interactions"] = {"anyOf": [several["items"], several]}
    tables["recipe"] = {
        "anyOf": [tables["recipe"], {"type": "string"}],
        "description": "the recipe, or its name, or the path of a recipe file",
    }
    return {"$schema": DIALECT} | schema | {"title": "Settings of the related-items engine"}


def template() -> str:
    """A settings file in which everything but the shop's name and the tables is a comment."""
    lines = shipped("config/default.toml").read_text(encoding="utf-8").splitlines()
    begin = next(place for place, line in enumerate(lines) if line.startswith("shop = "))
    body = [_commented(line) for line in lines[begin + 1 :]]
    return "\n".join([*_HEAD, *body]) + "\n"


_HEAD = (
    f"#:schema {SCHEMA_FILE}",
    "# Settings of a shop. Remove the # of what you change; the values are the defaults.",
    "# The recipe is taken whole: where you change it, remove the # of its tables, too.",
    f"# For completion in an editor: recommender config --schema > {SCHEMA_FILE}",
    "",
    "# The name of the shop in every key, path and log: a-z, 0-9, - and _, at most 40 characters.",
    'shop = "my-shop"',
)


def _commented(line: str) -> str:
    """A line of settings as a comment.

    The heads of tables stay, except in the recipe, where an empty table is not the default.
    """
    stays = not line or line.startswith("#")
    head = line.startswith("[") and not line.startswith(("[[", "[recipe"))
    return line if stays or head else f"# {line}"


def _plain(value: object) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Choice):
        return value.plain() if value.parameters else value.use
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path | date) else value
