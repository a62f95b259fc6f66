"""Rendering: templates, the English texts that they show, and static files with their digests."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
STATIC = {
    "recommender.console": ("console.css", "steer.css", "console.js", "charts.js", "htmx.min.js"),
    "recommender.pages": ("uplot.min.css", "uplot.min.js"),
}
"""The static files of the console, by the package that has them."""
PREFIX = "/console"
OWN = f"{PREFIX}/~"
"""Paths below it belong to the console itself; no shop can be named so."""
TONES = 6


@cache
def texts() -> Mapping[str, str]:
    """All texts by dotted key, from `texts.toml`."""
    tree = tomllib.loads((files("recommender.console") / "texts.toml").read_text(encoding="utf-8"))
    return dict(_flat("", tree))


def text(key: str, /, **values: object) -> str:
    """A text with its values filled in.

    With `count`, the text under `key.one` or `key.other` is used.
    """
    if "count" in values:
        key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
    found = texts()[key]
    return found.format(**values) if values else found


def render(template: str, **values: object) -> str:
    """Render a template. It escapes every value."""
    return environment().get_template(template).render(**values)


@cache
def environment() -> Environment:
    """The environment of all templates."""
    made = Environment(
        loader=PackageLoader("recommender.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"t": text, "static": static_url, "path": path, "own": OWN}
    made.filters |= {
        "thousands": "{:,}".format,
        "percent": _percent,
        "tone": _tone,
        "initial": _initial,
        "iso": lambda epoch: _utc(epoch).isoformat(),
        "shown_time": lambda epoch: f"{_utc(epoch):%Y-%m-%d %H:%M} UTC",
    }
    return made


def path(shop: str, page: str = "", /, **query: object) -> str:
    """The path of a page of a shop; values of the query are percent-encoded."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{PREFIX}/{shop}/{page}" + (f"?{urlencode(given)}" if given else "")


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """Content and media type of the static files, by name."""
    found = {}
    for package, names in STATIC.items():
        for name in names:
            content = (files(package) / "static" / name).read_bytes()
            found[name] = content, MEDIA_TYPES[name[name.rindex(".") :]]
    return found


@cache
def static_url(name: str) -> str:
    """The URL of a static file, which changes with its content."""
    content, _ = static_files()[name]
    return f"{OWN}/static/{name}?v={sha256(content).hexdigest()[:12]}"


def _flat(prefix: str, tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value


def _utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def _percent(share: float, digits: int = 0) -> str:
    return f"{share:.{digits}%}"


def _initial(title: str) -> str:
    """The first letter or digit of a title, for the tile of an item without an image."""
    return next((letter.upper() for letter in title if letter.isalnum()), "?")


def _tone(name: str) -> int:
    """One of a few colours, always the same for a name."""
    return sha256(name.encode(errors="replace")).digest()[0] % TONES
