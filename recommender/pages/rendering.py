"""Rendering: one HTML file from a template, with its styles, scripts and data inside.

A page loads nothing from anywhere. Its Content-Security-Policy allows the styles and scripts that
it contains, by their SHA-256, and nothing else. Templates escape every value.
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

LAYOUT_STYLE = "layout.css"


def render(
    template: str, *, styles: Sequence[str] = (), scripts: Sequence[str] = (), **values: object
) -> str:
    """Render a template with the named files of `static` and the values that it shows.

    Args:
        template: file name in `templates`.
        styles: style sheets in `static`, after the one of the layout.
        scripts: scripts in `static`, in the order in which they run.
        values: what the template shows.

    """
    sheets = [_static(name) for name in (LAYOUT_STYLE, *styles)]
    programs = [_static(name) for name in scripts]
    policy = (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {_hashes(sheets)}; script-src {_hashes(programs)}"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            policy=Markup(policy),
            styles=[Markup(sheet) for sheet in sheets],
            scripts=[Markup(program) for program in programs],
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("recommender.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    environment.globals["static"] = _static
    environment.filters["thousands"] = "{:,}".format
    environment.filters["percent"] = "{:.0%}".format
    return environment


@cache
def _static(name: str) -> str:
    return (files("recommender.pages") / "static" / name).read_text(encoding="utf-8")


def _hashes(contents: Sequence[str]) -> str:
    """The sources of a policy that allow these inline elements."""
    digests = (hashlib.sha256(content.encode()).digest() for content in contents)
    sources = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return " ".join(sources) or "'none'"
