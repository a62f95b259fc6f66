"""Kombu's Redis transport, which lives on when a queue holds what is no message.

The stock transport raises what its JSON parser raises into the worker's event loop, so that one
stray LPUSH ends the worker. And where a broker dies while a message is unacknowledged, it may look
for the settings of a connection that is closed already: an AttributeError, which no worker lives
through, in place of a lost connection, which every worker does.
"""

import logging
from collections.abc import Mapping
from typing import Any

from kombu.transport import redis

log = logging.getLogger(__name__)


class Channel(redis.Channel):
    """A channel that drops elements of a queue which cannot be read."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection to the broker was closed")
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        return parameters

    def _brpop_read(self, **options: Any) -> bool:  # noqa: ANN401
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[no-untyped-call]
        except (ValueError, RecursionError) as error:
            log.warning("dropped what is no message: %.80s", type(error).__name__)
            return True


class Transport(redis.Transport):
    """A transport that delivers whole messages only."""

    Channel = Channel

    def _deliver(self, message: object, queue: str) -> None:
        if not _is_whole(message):
            raise ValueError("no message")
        super()._deliver(message, queue)  # type: ignore[no-untyped-call]


def _is_whole(message: object) -> bool:
    """Whether kombu can unpack the message; compressed ones, which nobody sends, it may not."""
    if not isinstance(message, Mapping):
        return False
    headers, properties = message.get("headers"), message.get("properties")
    return (
        isinstance(message.get("body"), str)
        and isinstance(headers, Mapping)
        and "compression" not in headers
        and isinstance(properties, Mapping)
        and isinstance(properties.get("delivery_tag"), str)
        and isinstance(properties.get("delivery_info"), Mapping)
    )
