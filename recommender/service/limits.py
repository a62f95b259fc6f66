"""What clients may take of `serve`: time for each step, connections, requests at once, log lines.

uvicorn limits the time between two requests and the size of a request's head. It waits for ever for
the rest of a head or a body, and for a client that does not read; and its limit of connections
turns honest clients away as long as idle ones stay.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from recommender.service.answers import ErrorAnswer
from recommender.service.models import RequestRefused
from recommender.settings.service import ServiceSettings

OTHER_DESCRIPTORS = 96
"""Descriptors that are left for Redis, files and listening."""
ACCEPTED_AT_ONCE = 16
"""Connections that are accepted in one turn of the loop, so that those too many can be ended."""
BACKLOG = 2048
"""Connections that wait for that; the system keeps them."""
DEFAULTS = ServiceSettings()
RETRY_AFTER_S = 1
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\ncontent-length: 0\r\n"
    b"connection: close\r\n\r\n" % RETRY_AFTER_S
)
LINES_PER_S = 5


def most_connections(wanted: int) -> int:
    """How many connections this process may accept without running out of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, soft - OTHER_DESCRIPTORS), 1)


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 with a time for each step that waits for the client.

    Beyond `most` connections, the one that has been waited for longest makes room; where requests
    of all are worked on, the new one gets 503.
    """

    request_s: ClassVar[float] = DEFAULTS.request_s
    """For a request to arrive, from its first byte or the connection on, head and body."""
    write_s: ClassVar[float] = DEFAULTS.write_s
    """For a client to read what was written."""
    most: ClassVar[int] = DEFAULTS.connections

    _timer: asyncio.TimerHandle | None = None
    _waiting: "dict[LimitedProtocol, None]"
    """The server's connections that wait for their clients, not for answers, the longest first.

    A new connection beyond `most` ends the first of them, at a cost that does not grow with `most`.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, at the cost of another one where there are too many."""
        self._waiting = _WAITING.setdefault(self.server_state, {})
        if len(self.connections) >= self.most and not self._make_room():
            transport.write(BUSY)
            transport.close()
        super().connection_made(transport)
        self._wait(self.request_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take data; time runs until the request is complete, however often some of it comes."""
        if self._timer is None and self in self._waiting:
            self._wait(self.request_s)
        super().data_received(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE):
            self._end_wait()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, such as control characters in a header, in JSON as all else."""
        headers = [("content-type", "application/json"), ("connection", "close")]
        body = ErrorAnswer(detail=msg).model_dump_json().encode()
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request, as long as uvicorn does; time runs from its first byte on."""
        self._end_wait()
        self._waiting[self] = None
        super().on_response_complete()
        state = self.conn.their_state
        if state is h11.SEND_BODY or (state is h11.IDLE and self.conn.trailing_data[0]):
            self._wait(self.request_s)
        elif state is not h11.IDLE:
            self._end_wait()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._wait(self.write_s)

    def resume_writing(self) -> None:
        """Go on, as the client has read."""
        super().resume_writing()
        self._end_wait()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, even where the client never reads the end of an answer."""
        super().timeout_keep_alive_handler()
        self._wait(self.write_s)

    def _make_room(self) -> bool:
        longest = next(iter(self._waiting), None)
        if longest is not None:
            longest._hang_up()
        return longest is not None

    def _wait(self, seconds: float) -> None:
        self._end_wait()
        self._waiting[self] = None
        self._timer = self.loop.call_later(seconds, self._hang_up)

    def _end_wait(self) -> None:
        self._waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        self._end_wait()
        self.connections.discard(self)
        self.transport.abort()


_WAITING: WeakKeyDictionary[ServerState, dict[LimitedProtocol, None]] = WeakKeyDictionary()


class Listener(socket.socket):
    """A listening socket whose backlog stays `BACKLOG`, and which a spawned process inherits.

    asyncio accepts as many connections in one turn as it passes to `listen`.
    """

    def listen(self, _accepted_at_once: int = 0, /) -> None:
        """Listen."""
        super().listen(BACKLOG)

    def __reduce__(self) -> tuple[object, ...]:
        return _inherited, (DupFd(self.fileno()),)


def _inherited(descriptor: Any) -> Listener:  # noqa: ANN401 - multiprocessing has no type for it
    return Listener(fileno=descriptor.detach())


class ServiceLoop(asyncio.SelectorEventLoop):
    """An event loop that ends TLS handshakes after the time that a request has; asyncio: 60 s."""

    async def create_server(self, *given: Any, **options: Any) -> asyncio.Server:  # noqa: ANN401
        """Listen."""
        if options.get("ssl"):
            options["ssl_handshake_timeout"] = LimitedProtocol.request_s
        return await super().create_server(*given, **options)


class Room:
    """A bound of requests that are worked on at once."""

    def __init__(self, most: int) -> None:
        self._free = most

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one request. Raises: RequestRefused with status 503."""
        if self._free < 1:
            raise RequestRefused(503, "too many requests at once: try again later")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


class FewLines(logging.Filter):
    """Lets a few lines a second pass, and with the next one says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._passed, self._left_out = 0, 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        second = int(record.created)
        if second != self._second:
            self._second, self._passed = second, 0
        self._passed += 1
        if self._passed > LINES_PER_S:
            self._left_out += 1
            return False
        if self._left_out:
            record.msg = f"{record.getMessage()} ({self._left_out} lines like it left out)"
            record.args = ()
            self._left_out = 0
        return True
