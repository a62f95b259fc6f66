"""One round trip to a server on asyncio, over connections that are kept ready."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from recommender.errors import StoreUnavailable
from recommender.serving.connection import POLL_TIMEOUT_S, connection_pool
from recommender.serving.polled_state import Command, Reply
from recommender.serving.resp import packed, require_answer
from recommender.serving.transport import MAX_CONNECTIONS, READY

Answer = TypeVar("Answer")


class AsyncWires:
    """The connections of one event loop. Questions take idle ones; only `top_up` connects.

    `wanted` is set when a question finds none idle. Raises: ConfigError for the url.
    """

    def __init__(self, url: str, *, client_name: str) -> None:
        pool = connection_pool(
            url,
            connect_timeout_s=POLL_TIMEOUT_S,
            timeout_s=POLL_TIMEOUT_S,
            client_name=client_name,
        )
        # One timeout around a whole exchange replaces those of redis-py for its parts.
        given = parse_url(url)
        self._connection_class: Any = given.get("connection_class", Connection)
        self._settings: dict[str, Any] = pool.connection_kwargs | {
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": None,
        }
        self.wanted = asyncio.Event()
        self._idle: deque[AbstractConnection] = deque()
        self._waiting: deque[asyncio.Future[AbstractConnection]] = deque()
        self._open = 0
        self._closed = False

    async def connected(self) -> AbstractConnection:
        """Connect outside the pool. Raises: what connecting raises."""
        connection: AbstractConnection = self._connection_class(**self._settings)
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            abort(connection)
            raise
        return connection

    async def reply(self, connection: AbstractConnection, command: Command) -> Reply:
        """The reply to a command of a poll. Raises: as `asked`."""
        return await asked(connection, command)

    async def call(self, command: Command, until: float) -> Reply:
        """Ask over an idle connection, which does not come back where asking fails."""
        async with asyncio.timeout_at(until):
            return await self.exchange(partial(asked, command=command))

    async def exchange(self, asking: Callable[[AbstractConnection], Awaitable[Answer]]) -> Answer:
        """Let `asking` have an idle connection, which does not come back where it fails."""
        connection = await self._taken()
        try:
            reply = await asking(connection)
        except BaseException:
            self._drop(connection)
            raise
        self._give(connection)
        return reply

    async def top_up(self) -> None:
        """Connect while questions wait in vain or too few are ready. Raises: as `connected`."""
        self.wanted.clear()
        while self._open < MAX_CONNECTIONS and (self._open < READY or self._waiting):
            connection = await self.connected()
            self._open += 1
            self._give(connection)

    def counts(self) -> Mapping[str, int]:
        """How many connections are open."""
        return {"connections": self._open}

    def close(self) -> None:
        """Close the idle connections now and those in use when they come back."""
        self._closed = True
        while self._idle:
            self._drop(self._idle.pop())

    async def _taken(self) -> AbstractConnection:
        while True:
            connection = self._idle.pop() if self._idle else await self._awaited()
            try:
                if not await connection.can_read():
                    return connection
            except BaseException:
                self._drop(connection)
                raise
            self._drop(connection)

    async def _awaited(self) -> AbstractConnection:
        future: asyncio.Future[AbstractConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.wanted.set()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._give(future.result())
            raise
        finally:
            with suppress(ValueError):
                self._waiting.remove(future)

    def _give(self, connection: AbstractConnection) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        if self._closed:
            self._drop(connection)
        else:
            self._idle.append(connection)

    def _drop(self, connection: AbstractConnection) -> None:
        self._open -= 1
        abort(connection)


async def asked(connection: AbstractConnection, command: Command) -> Reply:
    """One command and its reply. Raises: RedisError; StoreUnavailable."""
    await connection.send_packed_command([packed(command)], check_health=False)
    reply = await connection.read_response(disable_decoding=True)
    if not isinstance(reply, list) or not all(isinstance(value, bytes | None) for value in reply):
        raise StoreUnavailable(f"malformed reply {reply!r:.80}")
    require_answer(command, reply)
    return reply


def abort(connection: AbstractConnection) -> None:
    """Close at once, whatever is under way; nothing of it can be awaited when cancelled."""
    connection._close()  # type: ignore[no-untyped-call]
