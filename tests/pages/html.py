"""Reading pages in tests."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "input"}
NOTHING = "'none'"
HOSTILE = "</small></script><script>alert(1)</script>\"'>&amp;<img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """The tags, attributes, text and inline elements of a page; every tag must be closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.data: list[Any] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in VOID:
            return
        self.open.append(f"{tag} json" if ("type", "application/json") in attrs else tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "script json":
            self.data.append(json.loads(data))
        elif inside in {"script", "style"}:
            getattr(self, f"{inside}s").append(data)
        else:
            self.text += data


def read(page: str) -> Page:
    """A page that is well formed, loads nothing, and whose policy allows what it contains."""
    parsed = Page(page)
    assert not {"img", "link", "iframe", "object", "base", "form"} & set(parsed.tags)
    names = {name for name, _ in parsed.attributes}
    assert not {"src", "href", "style", "action"} & names
    assert not any(name.startswith("on") for name in names)
    assert not re.search(r"url\(|@import", "".join(parsed.styles))
    policy = next(value for name, value in parsed.attributes if "default-src" in value)
    for kind, contents in (("style", parsed.styles), ("script", parsed.scripts)):
        digests = [hashlib.sha256(content.encode()).digest() for content in contents]
        allowed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
        assert f"{kind}-src {' '.join(allowed or [NOTHING])}" in policy
    assert policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; ")
    return parsed
