"""What a message from the broker must look like before Celery may see it.

Whoever can write to the broker can send anything, and some of it stops or loops a bare Celery
worker. So this is a list of what is allowed: a JSON call of a task of ours, with the arguments
that it takes and nothing attached.
"""

import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kombu.exceptions import KombuError
from kombu.message import Message

LONGEST_BODY = 4096
MAX_RETRIES = 3
FARTHEST_ETA = timedelta(days=365)
TASK_PREFIX = "workers."
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNUSED = ("compression", "expires", "group", "shadow", "stamped_headers", "stamps")
"""Headers by which a message could act on a worker and that no job of ours carries."""


def fault(message: Message, tasks: Mapping[str, Any]) -> str | None:
    """Why a message may not run, in one line; None where it may."""
    if (message.content_type, message.content_encoding) != ("application/json", "utf-8"):
        return f"content type {message.content_type!r:.40} {message.content_encoding!r:.20}"
    if not message.body or len(message.body) > LONGEST_BODY:
        return f"body of {len(message.body or '')} bytes"
    name = message.headers.get("task")
    if not isinstance(name, str) or not name.startswith(TASK_PREFIX) or name not in tasks:
        return f"unknown task {name!r:.60}"
    return _header_fault(message.headers) or _body_fault(message, tasks[name])


def _header_fault(headers: Mapping[str, Any]) -> str | None:
    if not isinstance(headers.get("id"), str) or not ID.fullmatch(headers["id"]):
        return f"id {headers.get('id')!r:.60}"
    if used := [name for name in UNUSED if headers.get(name)]:
        return f"header {used[0]}"
    if headers.get("timelimit") not in (None, [None, None]):
        return "header timelimit"
    retries = headers.get("retries", 0)
    if type(retries) is not int or not 0 <= retries <= MAX_RETRIES:
        return f"retries {retries!r:.20}"
    return _eta_fault(headers.get("eta"))


def _eta_fault(eta: object) -> str | None:
    if eta is None:
        return None
    try:
        distance = datetime.fromisoformat(str(eta)) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return f"eta {eta!r:.40}"
    return f"eta {eta!r:.40}" if abs(distance) > FARTHEST_ETA else None


def _body_fault(message: Message, task: Any) -> str | None:  # noqa: ANN401
    try:
        payload = message.payload
    except (KombuError, ValueError):
        return "body is no JSON"
    if not isinstance(payload, list) or [type(part) for part in payload] != [list, dict, dict]:
        return "body is no call"
    arguments, named, attached = payload
    if any(attached.values()):
        return "body has other calls attached"
    try:
        inspect.signature(task.run).bind(*arguments, **named)
    except TypeError as error:
        return f"arguments: {error}"
    return None
