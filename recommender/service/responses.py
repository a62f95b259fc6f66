"""Answers as JSON, and errors.

Lists are written without pydantic: an id may hold a lone surrogate, which it cannot encode, and the
tag needs the text.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from json.encoder import encode_basestring_ascii as quoted

from starlette.responses import Response

from recommender.core.related import RelatedList
from recommender.service.answers import ErrorAnswer
from recommender.service.limits import RETRY_AFTER_S
from recommender.serving.bundles import Bundle

JSON = "application/json"
NO_STORE = {"cache-control": "no-store"}


def json_response(
    content: str, headers: Mapping[str, str] = NO_STORE, status: int = 200
) -> Response:
    """An answer that is JSON already."""
    if status == 503:
        headers = {"retry-after": str(RETRY_AFTER_S), **headers}
    return Response(content, status_code=status, media_type=JSON, headers=headers)


def error_response(status: int, reason: str, *, retry_after_s: float = 0.0) -> Response:
    """Why a request is not answered, and after how many seconds it may be repeated."""
    headers = {"retry-after": str(math.ceil(retry_after_s))} if retry_after_s else {}
    content = ErrorAnswer(detail=reason).model_dump_json()
    return json_response(content, NO_STORE | headers, status)


def etag(generation: int, content: str) -> str:
    """The weak tag of a list: two answers have one tag where only their tokens differ.

    It is made from the entries too, because an item may be hidden while a generation is live.
    """
    return f'W/"{generation}-{blake2b(content.encode(), digest_size=9).hexdigest()}"'


def without_token(answer: RelatedList) -> str:
    """The JSON of a list up to its token. It is ASCII, so that no id can break its encoding."""
    items = [
        f'{{"id":{quoted(item)},"score":{score!r},"evidence":"{evidence}"'
        for item, score, evidence in answer.items
    ]
    if explored := frozenset(answer.explored):
        items = [
            f'{item},"explore":true' if entry.id in explored else item
            for item, entry in zip(items, answer.items, strict=True)
        ]
    if answer.records:
        items = [
            f'{item},"record":{json.dumps(record)}'
            for item, record in zip(items, answer.records, strict=True)
        ]
    heading = f'"heading":{quoted(answer.heading)},' if answer.heading else ""
    content = (
        f'{{"item":{quoted(answer.item)},"placement":{quoted(answer.placement)},'
        f'"generation":{answer.generation},"status":"{answer.status}",{heading}'
        f'"items":[{"".join([item + "}," for item in items])[:-1]}]'
    )
    return f'{content},"dropped":{json.dumps(dict(answer.dropped))}' if answer.dropped else content


def with_token(content: str, answer: RelatedList) -> str:
    """The JSON of a list, from what `without_token` returned."""
    return f'{content},"token":{quoted(answer.token)}}}'


def bundle_json(bundle: Bundle) -> str:
    """The JSON of a bundle; ASCII, as that of lists."""
    items = [
        {"id": item, "record": record}
        for item, record in zip(bundle.items, bundle.records, strict=True)
    ]
    whole = asdict(bundle)
    del whole["records"], whole["language"]
    return json.dumps(whole | {"items": items})


def in_language(language: str) -> dict[str, str]:
    """The headers of an answer whose texts are in a language, "" where the shop names none."""
    return {"content-language": language, "vary": "accept-language"} if language else {}
