"""Where settings come from: the TOML file, then the environment, then `--set`.

A setting has a dotted name, `store.url`. In the environment it is `RECOMMENDER_STORE__URL`, on
the command line `--set store.url=VALUE`; both take a TOML literal, else text. Unknown names are
refused wherever they stand. Relative paths resolve against the folder of the settings file.
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
from recommender.settings.model import Settings, with_named_content

PREFIX = "RECOMMENDER_"
CONFIG_VARIABLE = "RECOMMENDER_CONFIG"
CONFIG_FILE = "recommender.toml"
NOT_SETTINGS = frozenset({CONFIG_VARIABLE, failpoints.VARIABLE, "RECOMMENDER_DATA"})


def find_file(given: str | None) -> Path:
    """The settings file: as given, else `$RECOMMENDER_CONFIG`, else `./recommender.toml`.

    Raises: ConfigError where there is none, naming all three.
    """
    if given:
        return _existing(given, "--config")
    if from_environment := os.environ.get(CONFIG_VARIABLE):
        return _existing(from_environment, CONFIG_VARIABLE)
    if Path(CONFIG_FILE).is_file():
        return Path(CONFIG_FILE)
    raise ConfigError(
        f"no settings: give --config FILE, set {CONFIG_VARIABLE}, or put {CONFIG_FILE} here "
        f"({Path.cwd()})"
    )


def find_files() -> list[Path]:
    """One settings file per shop: `$RECOMMENDER_CONFIG`, `:`-separated, else `./recommender.toml`.

    Raises: ConfigError where one of them is missing, or where there is none.
    """
    if from_environment := os.environ.get(CONFIG_VARIABLE):
        return [_existing(given, CONFIG_VARIABLE) for given in from_environment.split(":")]
    return [find_file(None)]


def load(path: Path, assignments: Iterable[str] = ()) -> Settings:
    """Read the settings of one file, the environment and `--set` assignments.

    Raises: ConfigError in one line: which setting, which value, what is allowed.
    """
    return _loaded(_table(path), path, assignments)


def load_without_file(tree: Mapping[str, Any], assignments: Iterable[str] = ()) -> Settings:
    """Settings as a tree of tables instead of a file, then the environment and `--set`.

    Relative paths resolve against the working folder. Raises: ConfigError.
    """
    return _loaded(dict(tree), Path("command line"), assignments)


def _loaded(tree: dict[str, Any], path: Path, assignments: Iterable[str]) -> Settings:
    base = path.resolve().parent
    _read_recipe(tree, base)
    for name, value in sorted(os.environ.items()):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            dotted = name.removeprefix(PREFIX).lower().replace("__", ".")
            _assign(tree, dotted, _literal(value), f"environment variable {name}")
            _read_recipe(tree, base)
    for assignment in assignments:
        dotted, sign, value = assignment.partition("=")
        if not sign:
            raise ConfigError(f"--set {assignment!r}: write dotted.name=VALUE")
        _assign(tree, dotted.strip(), _literal(value), f"--set {dotted.strip()}")
        _read_recipe(tree, base)
    return _validated(tree, path, base)


def _read_recipe(tree: dict[str, Any], base: Path) -> None:
    """Put the content of a recipe file in place of its name, so that parts of it can be set."""
    if isinstance(tree.get("recipe"), str):
        tree["recipe"] = _table(_resolved(base, tree["recipe"]))
    if isinstance(tree.get("recipe"), Mapping):
        tree["recipe"] = with_named_content(tree["recipe"])


def _validated(tree: dict[str, Any], path: Path, base: Path) -> Settings:
    if "shop" not in tree:
        raise ConfigError(f'{path}: shop is not set; name it, such as shop = "my-shop"')
    try:
        settings = Settings.model_validate(_with_paths(tree, base))
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error)}") from error
    check_shop(settings.shop)
    settings.recipe.recipe()
    return settings


def _with_paths(tree: dict[str, Any], base: Path) -> dict[str, Any]:
    """The tree with every path made absolute: inputs, state, artifacts, content origins."""
    resolved = dict(tree)
    state = dict(_mapping(tree.get("state", {})))
    state["folder"] = str(_resolved(base, state.get("folder", ".recommender")))
    resolved["state"] = state
    artifacts = dict(_mapping(tree.get("artifacts", {})))
    if isinstance(artifacts.get("url"), str) and "://" not in artifacts["url"] and artifacts["url"]:
        artifacts["url"] = str(_resolved(base, artifacts["url"]))
    resolved["artifacts"] = artifacts
    for table, name in (("gates", "golden"), ("merchandising", "rules")):
        resolved[table] = dict(_mapping(tree.get(table, {})))
        if isinstance(given := resolved[table].get(name), str) and given:
            resolved[table][name] = str(_resolved(base, given))
    if isinstance(tree.get("recipe"), Mapping):
        resolved["recipe"] = recipe = dict(tree["recipe"])
        if isinstance(recipe.get("content"), Mapping):
            recipe["content"] = {
                name: _with_input_path(choice, base) for name, choice in recipe["content"].items()
            }
    if "catalogue" in tree:
        resolved["catalogue"] = _with_input_path(tree["catalogue"], base)
    if "interactions" in tree:
        given = tree["interactions"]
        tables = given if isinstance(given, list) else [given]
        resolved["interactions"] = [_with_input_path(table, base) for table in tables]
    return resolved


def _with_input_path(table: object, base: Path) -> object:
    if not isinstance(table, Mapping) or not table.get("path"):
        return table
    path = table["path"]
    places = path if isinstance(path, list) else [path]
    absolute = [str(_resolved(base, p)) if isinstance(p, str) else p for p in places]
    return dict(table) | {"path": absolute if isinstance(path, list) else absolute[0]}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"": value}


def _resolved(base: Path, path: str) -> Path:
    return Path(os.path.normpath(base / Path(path).expanduser()))


def _existing(given: str, origin: str) -> Path:
    path = Path(given).expanduser()
    if not path.is_file():
        raise ConfigError(f"{origin}: there is no settings file {given!r}")
    return path


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"recipe file {path} does not exist") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is no readable TOML file: {error}") from error


def _literal(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _assign(tree: dict[str, Any], dotted: str, value: object, origin: str) -> None:
    parts = dotted.split(".")
    if not all(parts):
        raise ConfigError(f"{origin}: {dotted!r} is no setting; write dotted.name=VALUE")
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
        raise ConfigError(f"{origin}: {part!r} is no element; there are 0 to {len(node) - 1}")
    return node[int(part)]


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    location = [part for part in fault["loc"] if not str(part).startswith("function-")]
    name = ".".join(str(part) for part in location)
    if fault["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown setting {name!r}{_suggestion(location)}"
    message = fault["msg"].removeprefix("Value error, ")
    given = fault["input"]
    secret = bool({"user_key", "signing_key", "key", "url"} & set(location))
    shown = "" if secret or isinstance(given, Mapping) else f" = {str(given)!r:.80}"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{name}{shown}: {message}{more}"


def _suggestion(location: list[int | str]) -> str:
    allowed = _field_names(location[:-1])
    near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} Allowed: {', '.join(allowed)}" if allowed else hint


def _field_names(location: list[int | str]) -> list[str]:
    """The names that a table of the settings has."""
    table: Any = Settings
    for part in location:
        if isinstance(part, int):
            continue
        fields = getattr(table, "model_fields", None) or table.__annotations__
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
