"""Answers as JSON, and errors."""

from collections.abc import Mapping

from starlette.responses import Response

from recommender.service.limits import RETRY_AFTER_S
from recommender.service.models import ErrorAnswer

JSON = "application/json"
NO_STORE = {"cache-control": "no-store"}


def json_response(
    content: str, headers: Mapping[str, str] = NO_STORE, status: int = 200
) -> Response:
    """An answer that is JSON already."""
    if status == 503:
        headers = {**headers, "retry-after": str(RETRY_AFTER_S)}
    return Response(content, status_code=status, media_type=JSON, headers=headers)


def error_response(status: int, reason: str) -> Response:
    """Why a request is not answered."""
    return json_response(ErrorAnswer(detail=reason).model_dump_json(), status=status)
