"""Presets: the mapping, the values and the quirks of a platform's export, by name.

A preset is a TOML file in `config/presets`, of the settings of one table. Its `signature` names
columns that only this export has together.
"""

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from recommender.errors import ConfigError
from recommender.readers.columns import alternatives

Table = Literal["catalogue", "interactions"]
SIGNATURE = "signature"


def shipped(path: str) -> Path:
    """A file or folder that ships with the package: of `config`, or of `data_fixtures`.

    A wheel has them in `recommender/shipped`, a checkout next to the package.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "shipped"
    return (inside if inside.is_dir() else package.parent) / path


@cache
def presets(table: Table) -> Mapping[str, Mapping[str, Any]]:
    """The presets of a table of the settings, by name."""
    files = sorted(shipped(f"config/presets/{table}").glob("*.toml"))
    return {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}


def with_preset(table: Table, given: Mapping[str, Any]) -> dict[str, Any]:
    """A table of the settings over those of its preset, key by key, also in its tables.

    Raises: ConfigError for an unknown preset.
    """
    own = {name: value for name, value in given.items() if name != "preset"}
    if "preset" not in given:
        return own
    known, name = presets(table), given["preset"]
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"{table}.preset = {name!r:.80}: there is none{hint} Presets: {', '.join(known)}"
        )
    preset = {key: value for key, value in known[name].items() if key != SIGNATURE}
    return _over(preset, own)


def recognised(table: Table, columns: frozenset[str]) -> str:
    """The preset whose export has these columns, "" for none; of several, the most specific."""
    fitting = [
        (len(preset[SIGNATURE]), name)
        for name, preset in presets(table).items()
        if all(columns.intersection(alternatives(each)) for each in preset[SIGNATURE])
    ]
    return max(fitting, default=(0, ""))[1]


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = _over(under, value)
        merged[name] = value
    return merged
