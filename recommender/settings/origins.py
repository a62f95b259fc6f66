"""Origins: the settings in force with the place that each came from."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from recommender.settings.loading import NOT_SETTINGS, PREFIX
from recommender.settings.model import Settings, current_name

Origin = Literal["default", "environment", "given"]


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """A setting with its value as JSON, secrets masked.

    `origin` is default, the environment, or given: by the settings file or by `--set`.
    """

    name: str
    value: str
    origin: Origin


def settings_in_force(settings: Settings) -> list[SettingInForce]:
    """All settings by their dotted names, in the order of the settings file."""
    defaults = dict(_flat("", Settings(shop=settings.shop).plain()))
    named = {
        current_name(name.removeprefix(PREFIX).lower().replace("__", "."))
        for name in os.environ
        if name.startswith(PREFIX) and name not in NOT_SETTINGS
    }

    def origin(name: str, value: object) -> Origin:
        if any(name == one or name.startswith(f"{one}.") for one in named):
            return "environment"
        return "default" if defaults.get(name) == value and name != "shop" else "given"

    return [
        SettingInForce(
            name, json.dumps(value, ensure_ascii=False, default=str), origin(name, value)
        )
        for name, value in _flat("", settings.plain())
    ]


def _flat(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value
