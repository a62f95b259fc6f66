"""Where settings come from: the TOML file, then the environment, then `--set`.

A setting has a dotted name, `store.url`. In the environment it is `RECOMMENDER_STORE__URL`, on
the command line `--set store.url=VALUE`; both take a TOML literal, or else text. Unknown names are
errors. Relative paths are relative to the folder of the settings file.

`recipe` is a table, the path of a recipe file, or the name of a recipe that ships with the package.
"""

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from recommender.core import failpoints
from recommender.errors import ConfigError
from recommender.serving.keys import check_shop
from recommender.settings.model import Settings, current_name, current_names, tables_at
from recommender.settings.presets import shipped, with_preset
from recommender.settings.secrets import conceal_secrets, is_secret

PREFIX = "RECOMMENDER_"
CONFIG_VARIABLE = "RECOMMENDER_CONFIG"
CONFIG_FILE = "recommender.toml"
NOT_SETTINGS = frozenset({CONFIG_VARIABLE, failpoints.VARIABLE, "RECOMMENDER_DATA"})
PATHS = (
    "state.folder",
    "artifacts.url",
    "gates.golden",
    "merchandising.rules",
    "recipe.content.*.path",
    "recipe.content.*.folder",
    "catalogue.path",
    "interactions.path",
    "service.api_keys",
    "service.cert",
    "service.key",
)
"""Settings that are paths, or URLs, which stay as they are."""


def find_file(given: str | None) -> Path:
    """The settings file: as given, else `$RECOMMENDER_CONFIG`, else `./recommender.toml`.

    Raises: ConfigError if there is none.
    """
    if given:
        return _existing(given, "--config")
    if from_environment := os.environ.get(CONFIG_VARIABLE):
        return _existing(from_environment, CONFIG_VARIABLE)
    if Path(CONFIG_FILE).is_file():
        return Path(CONFIG_FILE)
    raise ConfigError(
        f"no settings: give --config FILE, set {CONFIG_VARIABLE}, or write {CONFIG_FILE} in "
        f"{Path.cwd()}; recommender config --defaults prints one"
    )


def find_files() -> list[Path]:
    """One settings file per shop: `$RECOMMENDER_CONFIG`, `:`-separated, else `./recommender.toml`.

    Raises: ConfigError if one of them is missing, or if there is none.
    """
    if from_environment := os.environ.get(CONFIG_VARIABLE):
        return [_existing(given, CONFIG_VARIABLE) for given in from_environment.split(":")]
    return [find_file(None)]


def load(path: Path, assignments: Iterable[str] = ()) -> Settings:
    """Read the settings of one file, the environment and `--set` assignments.

    Raises: ConfigError naming the setting, its value and what is allowed.
    """
    return _loaded(_table(path), path, assignments)


def load_without_file(
    tree: Mapping[str, Any], assignments: Iterable[str] = (), base: Path = Path()
) -> Settings:
    """Read settings of a tree of tables instead of a file, the environment and `--set`.

    Relative paths are relative to `base`. Raises: ConfigError.
    """
    return _loaded(dict(tree), base / "command line", assignments)


def _loaded(tree: dict[str, Any], path: Path, assignments: Iterable[str]) -> Settings:
    try:
        return _assigned(tree, path, assignments)
    except RecursionError as error:
        raise ConfigError(f"{path}: tables are nested too deeply") from error


def _assigned(tree: dict[str, Any], path: Path, assignments: Iterable[str]) -> Settings:
    base = path.resolve().parent
    tree = _current(tree, base)
    for name, value in sorted(os.environ.items()):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            dotted = name.removeprefix(PREFIX).lower().replace("__", ".")
            assign(tree, current_name(dotted), literal(value), f"environment variable {name}")
            tree = _current(tree, base)
    for assignment in assignments:
        dotted, sign, value = assignment.partition("=")
        if not sign:
            raise ConfigError(f"--set {assignment!r}: write dotted.name=VALUE")
        name = current_name(dotted.strip())
        assign(tree, name, literal(value), f"--set {dotted.strip()}")
        tree = _current(tree, base)
    return _validated(tree, path, base)


def _current(tree: dict[str, Any], base: Path) -> dict[str, Any]:
    """The tree with the content of a recipe in place of its name, and with current names."""
    if isinstance(given := tree.get("recipe"), str):
        tree["recipe"] = _table(_recipe_file(given, base))
    return current_names(tree)


def _recipe_file(given: str, base: Path) -> Path:
    """The file of a recipe that is given by its name or its path. Raises: ConfigError."""
    if "/" in given or given.endswith(".toml"):
        return _resolved(base, given)
    names = sorted(path.stem for path in shipped("config/recipes").glob("*.toml"))
    if given not in names:
        raise ConfigError(
            f"recipe = {given!r:.80}: no such recipe; name one of {', '.join(names)}, or give the "
            "path of a recipe file, which ends in .toml"
        )
    return shipped(f"config/recipes/{given}.toml")


def _validated(tree: dict[str, Any], path: Path, base: Path) -> Settings:
    if "shop" not in tree:
        raise ConfigError(f'{path}: shop is not set; name it, such as shop = "my-shop"')
    _expand_presets(tree)
    if isinstance(state := tree.setdefault("state", {}), dict):
        state.setdefault("folder", ".recommender")
    for dotted in PATHS:
        *parents, name = dotted.split(".")
        for table in tables_at(tree, parents):
            if isinstance(given := table.get(name), list):
                table[name] = [_absolute(path, base) for path in given]
            elif name in table:
                table[name] = _absolute(given, base)
    conceal_secrets(tree)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error)}") from error
    check_shop(settings.shop)
    settings.built_recipe()
    return settings


def _expand_presets(tree: dict[str, Any]) -> None:
    if isinstance(catalogue := tree.get("catalogue"), dict):
        tree["catalogue"] = with_preset("catalogue", catalogue)
    for each in tables_at(tree, ["interactions"]):
        expanded = with_preset("interactions", each)
        each.clear()
        each.update(expanded)


def _absolute(path: object, base: Path) -> object:
    if not isinstance(path, str) or not path or "://" in path:
        return path
    return str(_resolved(base, path))


def _resolved(base: Path, path: str) -> Path:
    return Path(os.path.normpath(base / _expanded(path)))


def _expanded(path: str) -> Path:
    """The path with a home folder in place of `~`. Raises: ConfigError."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path!r:.80}: there is no such user; write the whole path") from error


def _existing(given: str, origin: str) -> Path:
    path = _expanded(given)
    if not path.is_file():
        raise ConfigError(f"{origin}: there is no settings file {given!r}")
    return path


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"recipe file {path} does not exist") from error
    except (OSError, ValueError, RecursionError) as error:  # such as a number of 5,000 digits
        raise ConfigError(f"{path} is not a readable TOML file: {error}") from error


def literal(text: str) -> object:
    """The value of a TOML literal, or else the text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def assign(tree: dict[str, Any], dotted: str, value: object, origin: str) -> None:
    """Set the value of a dotted name in a tree of tables; `origin` names where it comes from.

    Raises: ConfigError where the name leads to no table.
    """
    parts = dotted.split(".")
    if not all(parts):
        raise ConfigError(f"{origin}: {dotted!r} is not a setting; write dotted.name=VALUE")
    node: Any = tree
    for depth, part in enumerate(parts[:-1]):
        if isinstance(node, list):
            node = _element(node, part, origin)
            continue
        if depth and parts[0] == "recipe" and isinstance(node.get(part), str):
            node[part] = {"use": node[part]}
        node = node.setdefault(part, {})
        if not isinstance(node, dict | list):
            raise ConfigError(f"{origin}: {part} is a value, so it has no setting {parts[-1]!r}")
    if isinstance(node, list):
        raise ConfigError(f"{origin}: name an element by its number, such as {parts[0]}.0")
    node[parts[-1]] = value


def _element(node: list[Any], part: str, origin: str) -> object:
    if not part.isdigit() or int(part) >= len(node):
        raise ConfigError(f"{origin}: there is no element {part!r}; there are 0 to {len(node) - 1}")
    return node[int(part)]


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    location = [part for part in fault["loc"] if not str(part).startswith("function-")]
    name = ".".join(str(part) for part in location)
    if fault["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown setting {name!r}{_suggestion(location)}"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    shown = "" if is_secret(location) or isinstance(given, Mapping) else f" = {str(given)!r:.80}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{name}{shown}: {message}{more}" if name else f"{message}{more}"


def _suggestion(location: list[int | str]) -> str:
    allowed = _field_names(location[:-1])
    if location[0] in {"catalogue", "interactions"} and "path" in allowed:
        allowed.append("preset")
    near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} Allowed: {', '.join(allowed)}" if allowed else hint


def _field_names(location: list[int | str]) -> list[str]:
    """The names of the settings in a table."""
    table: Any = Settings
    for part in location:
        if isinstance(part, int):
            continue
        fields = getattr(table, "model_fields", None) or table.__annotations__
        if part not in fields:  # the name of a placement
            continue
        annotation = fields[part]
        annotation = getattr(annotation, "annotation", annotation)
        candidates = [annotation, *(get_args(annotation))]
        table = next((c for c in candidates if _is_table(c)), None)
        if table is None:
            return []
    if dataclasses.is_dataclass(table):
        return [field.name for field in dataclasses.fields(table)]
    return list(table.model_fields)


def _is_table(annotation: object) -> bool:
    return isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)
    )
