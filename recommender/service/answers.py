"""Related lists as JSON, and what caches may do with them."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from json.encoder import encode_basestring_ascii as quoted

from starlette.responses import Response

from recommender.core.related import RelatedList
from recommender.service.questions import Found

JSON = "application/json"
CACHEABLE = frozenset({"ok", "topped_up"})
"""Whatever else is answered is wrong as soon as Redis can be read, or the item is published."""
NO_STORE = {"cache-control": "no-store"}


def one(answer: RelatedList, asked_etag: str, cache_control: str) -> Response:
    """One list; 304 without it where `asked_etag`, an If-None-Match header, names it already."""
    content = _content(answer)
    if answer.status not in CACHEABLE:
        return Response(_with_token(content, answer), media_type=JSON, headers=NO_STORE)
    tag = etag(answer.generation, content)
    headers = {"etag": tag, "cache-control": cache_control}
    if asked_etag and (tag[2:] in asked_etag or asked_etag.strip() == "*"):
        return Response(status_code=304, headers=headers)
    return Response(_with_token(content, answer), media_type=JSON, headers=headers)


def several(answers: Sequence[RelatedList]) -> Response:
    """Lists in the order in which they were asked for."""
    lists = ",".join([_with_token(_content(answer), answer) for answer in answers])
    return Response(f'{{"lists":[{lists}]}}', media_type=JSON, headers=NO_STORE)


def found(query: str, hits: Found, cache_control: str) -> Response:
    """What a search found, best first."""
    content = json.dumps({"query": query, "generation": hits.generation, "items": hits.items})
    return Response(content, media_type=JSON, headers={"cache-control": cache_control})


def refusal(status: int, reason: str) -> Response:
    """Why there is no list."""
    return Response(
        f'{{"detail":{quoted(reason)}}}', status_code=status, media_type=JSON, headers=NO_STORE
    )


def etag(generation: int, content: str) -> str:
    """The weak tag of a list: two answers have one tag where only their tokens differ.

    It is made from the entries too, because an item may be hidden while a generation is live.
    """
    return f'W/"{generation}-{blake2b(content.encode(), digest_size=9).hexdigest()}"'


def _content(answer: RelatedList) -> str:
    """The JSON of an answer up to its token. It is ASCII, so that no id can break its encoding."""
    items = ",".join(
        [
            f'{{"id":{quoted(item)},"score":{score!r},"evidence":"{evidence}"}}'
            for item, score, evidence in answer.items
        ]
    )
    return (
        f'{{"item":{quoted(answer.item)},"placement":{quoted(answer.placement)},'
        f'"generation":{answer.generation},"status":"{answer.status}","items":[{items}]'
    )


def _with_token(content: str, answer: RelatedList) -> str:
    return f'{content},"token":{quoted(answer.token)}}}'
