"""Texts: those that templates and modules name are there, and no others."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from recommender.console.rendering import path, text, texts

ROOM = Path(str(files("recommender.console")))
SOURCES = [*ROOM.rglob("*.html"), *ROOM.rglob("*.py")]


def test_every_text_is_used_and_every_key_has_a_text() -> None:
    sources = "\n".join(one.read_text(encoding="utf-8") for one in SOURCES)
    counted = {key.removesuffix(".one") for key in texts() if key.endswith(".one")}
    forms = {f"{key}.{form}" for key in counted for form in ("one", "other")}
    assert forms <= texts().keys()
    keys = (texts().keys() - forms) | counted
    named = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""", sources))
    begun = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)*\.)["'] ~""", sources))
    used = {key for key in keys if key in named or any(key.startswith(one) for one in begun)}
    assert keys - used == set()
    called = set(re.findall(r"""[ (]t\(\s*["']([a-z_.]+)["'] *[,)]""", sources))
    assert called - keys == set()


def test_a_text_takes_values_and_counts() -> None:
    assert text("search.found", count=1) == "One item"
    assert text("search.found", count=2) == "2 items"
    assert text("refused.no_shop", shop="{x}") == "There is no shop {x} here."
    with pytest.raises(KeyError):
        text("no.such")


def test_values_of_a_query_are_encoded() -> None:
    assert path("acme", "item", id="a/b?c=d&é", page="") == (
        "/console/acme/item?id=a%2Fb%3Fc%3Dd%26%C3%A9"
    )
