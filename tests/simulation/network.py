"""What lies between processes and the server: commands fail, are late, are lost, or come twice.

Each command of a publisher, a worker or a reconciler is one turn.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from greenlet import GreenletExit
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.simulation.store import SimulatedServer
from tests.simulation.world import Process, World

FATES = ("failed", "unanswered", "late", "twice", "killed", "killed-after", "paused")


@dataclass
class Faults:
    """How often each fate befalls a command, and how long pauses and commands take."""

    rates: dict[str, float]
    pause_s: float = 0.0
    late_s: float = 0.0
    delay_s: float = 0.001

    def fate(self, draw: float) -> str:
        """The fate for a number in 0 to 1; "" where the command is executed and answered."""
        for name in FATES:
            draw -= self.rates.get(name, 0.0)
            if draw < 0:
                return name
        return ""


class Wire:
    """The way to the server. An `epoch` ends when the server restarts, and all connections too."""

    def __init__(self, world: World, server: SimulatedServer) -> None:
        self.world = world
        self.server = server
        self.faults = Faults({})
        self.epoch = 0
        self.seen: Counter[str] = Counter()
        """What happened how often: commands, fates and disasters."""

    def restart(self, data: dict[bytes, Any], ends: dict[bytes, float]) -> None:
        """Let another server take over, with that data."""
        self.epoch += 1
        self.server.data, self.server.ends = dict(data), dict(ends)

    def ask(self, commands: Sequence[tuple[bytes, ...]], link: "StoreLink") -> list[Any]:
        """Have commands executed together, as the fate of this turn has it.

        Raises: errors of redis-py; ResponseError.
        """
        world, process = self.world, self.world.current
        if world.closed or process is None:
            raise GreenletExit
        fate = self.faults.fate(world.random.random())
        self.seen.update(["commands", fate] if fate else ["commands"])
        if fate and world.tracing:
            world.note(f"{fate}: {_shown(commands)}")
        self._before(fate, process, link)
        if fate == "late":
            self._execute_late(commands, process)
        replies = self._execute(commands, process)
        if fate == "twice":
            replies = self._execute(commands, process)
        if fate == "killed-after":
            self._kill(process)
        if fate == "unanswered":
            raise RedisConnectionError("Connection reset by peer")
        return replies

    def _before(self, fate: str, process: Process, link: "StoreLink") -> None:
        """What befalls a command on its way to the server. Raises: errors of redis-py."""
        world, faults = self.world, self.faults
        if fate == "killed":
            self._kill(process)
        if fate == "paused":
            process.wait(world.now + world.random.random() * faults.pause_s)
        process.wait(world.now + world.random.expovariate(1 / faults.delay_s))
        if link.epoch != self.epoch:
            link.epoch = self.epoch
            raise RedisConnectionError("Connection closed by server")
        if fate == "failed":
            raise RedisConnectionError("Connection refused")

    def _execute_late(self, commands: Sequence[tuple[bytes, ...]], process: Process) -> None:
        """Have commands executed after the client gave up. Raises: TimeoutError of redis-py."""
        world, faults, epoch = self.world, self.faults, self.epoch

        def execute() -> None:
            if epoch == self.epoch:
                self._execute(commands, process)

        world.at(world.now + world.random.random() * faults.late_s, execute)
        process.wait(world.now + min(faults.late_s, 1.0))
        raise RedisTimeoutError("Timeout reading from socket")

    def _kill(self, process: Process) -> None:
        process.kill()
        self.world.hub.switch()

    def _execute(self, commands: Sequence[tuple[bytes, ...]], process: Process) -> list[Any]:
        replies: list[Any] = []
        for command in commands:
            try:
                replies.append(self.server.execute(*command))
            except ResponseError as error:
                replies.append(error)
        if self.world.tracing:
            self.world.note(f"{_shown(commands)} of {process.name} -> {_short(replies)}")
        return replies


class StoreLink:
    """The connection of one client."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.epoch = wire.epoch

    def ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """`Wire.ask` with the arguments as redis-py gives them."""
        return self.wire.ask([tuple(map(encoded, command)) for command in commands], self)


class SimulatedRedis(Redis):
    """redis-py's client, whose commands take their turn in a simulation."""

    link: StoreLink

    @classmethod
    def over(cls, link: StoreLink) -> Self:
        """A client of its own; what redis-py prepares for one is prepared once."""
        client: Self = copy.copy(_prepared(cls))
        client.link = link
        return client

    def execute_command(self, *command: Any, **options: Any) -> Any:  # noqa: ANN401
        """Ask the server."""
        (reply,) = self.link.ask([command])
        return self._parsed(command[0], reply, options)

    def pipeline(self, transaction: bool = True, shard_hint: object = None) -> Any:  # noqa: ANN401
        """Commands that are executed together."""
        pipeline = SimulatedPipeline.over(self.link)
        pipeline.queued = []
        return pipeline

    def _parsed(self, name: str, reply: Any, options: dict[str, Any]) -> Any:  # noqa: ANN401
        if isinstance(reply, Exception):
            raise reply
        options.pop("keys", None)
        parse = dict.get(self.response_callbacks, name.upper())
        return parse(reply, **options) if parse else reply

    def close(self) -> None:
        """There is nothing to close."""


class SimulatedPipeline(SimulatedRedis):
    """Commands that are collected until `execute`."""

    queued: list[tuple[tuple[Any, ...], dict[str, Any]]]

    def execute_command(self, *command: Any, **options: Any) -> Any:  # noqa: ANN401
        """Queue a command."""
        self.queued.append((command, options))
        return self

    def execute(self) -> list[Any]:
        """Execute them all in one turn."""
        queued, self.queued = self.queued, []
        replies = self.link.ask([command for command, _ in queued])
        return [
            self._parsed(command[0], reply, options)
            for (command, options), reply in zip(queued, replies, strict=True)
        ]

    def __exit__(self, *_: object) -> None:
        self.queued.clear()


@cache
def _prepared(kind: type[SimulatedRedis]) -> Any:  # noqa: ANN401
    return kind(protocol=2)


def encoded(value: Any) -> bytes:  # noqa: ANN401
    """An argument of a command as it goes over the wire."""
    return value if isinstance(value, bytes) else str(value).encode()


def _shown(commands: Sequence[tuple[bytes, ...]]) -> str:
    return "; ".join(_name(command) for command in commands)


def _name(command: tuple[bytes, ...]) -> str:
    words = command[1:] if command[0] != b"EVAL" else command[3:]
    return " ".join(
        [command[0].decode(), *[word.decode(errors="replace")[:40] for word in words[:4]]]
    )


def _short(replies: list[Any]) -> str:
    text = ", ".join(map(str, replies))
    return text if len(text) < 90 else f"{text[:87]}..."
