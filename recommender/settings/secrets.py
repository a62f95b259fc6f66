"""Secrets in a tree of settings: concealed before anything can print them, whatever their form."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from recommender.core.redaction import conceal, conceal_url

SECRETS = (
    ("state", "user_key"),
    ("artifacts", "signing_key"),
    ("text_api", "key"),
    ("store", "url"),
    ("broker", "url"),
    ("artifacts", "url"),
    ("text_api", "url"),
    ("catalogue", "url"),
    ("catalogue", "path"),
    ("interactions", "url"),
    ("interactions", "path"),
)
"""Table and name of the settings that are secrets, or URLs that may contain some."""
_URLS = {"url", "path"}


def conceal_secrets(tree: Mapping[str, object]) -> None:
    """Conceal all secrets of a tree of settings that was not checked yet."""
    for table, name in SECRETS:
        node = tree.get(table)
        tables = node if isinstance(node, list) and name in _URLS else [node]
        for one in tables:
            for value in _texts(one.get(name) if isinstance(one, Mapping) else one):
                if "://" in value:
                    conceal_url(value)
                elif name not in _URLS:
                    conceal(value)


def is_secret(location: list[int | str]) -> bool:
    """Whether a setting, or one that is part of it, is a secret."""
    names = [part for part in location if not isinstance(part, int)]
    return any(list(place)[: len(names)] == names[: len(place)] for place in SECRETS)


def check_quoted(url: str) -> str:
    """Refuse a URL whose password ends where `#`, `/` or `?` begins another part of the URL.

    Raises: ValueError without the URL.
    """
    rest = url.partition("://")[2]
    try:
        parts = urlsplit(url)
        cut = "@" in parts.fragment or _cut(parts.scheme, parts.path, parts.query)
    except ValueError:
        cut = "@" in rest
    if cut:
        raise ValueError(
            "the password has characters that a URL uses; write them percent-encoded: %40 for @, "
            "%23 for #, %2F for /, %3F for ?, %3A for : and %25 for %"
        )
    return url


def _cut(scheme: str, path: str, query: str) -> bool:
    """Whether an `@` that ends a user is in the path or in a query without a value."""
    unnamed = (part for part in query.split("&") if "=" not in part)
    return ("@" in path and scheme != "unix") or any("@" in part for part in unnamed)


def _texts(value: object) -> Iterator[str]:
    """All texts in a value of any form."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)
