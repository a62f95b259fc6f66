"""The network of a simulated reader: bytes go to the server and come back, or do not."""

from collections.abc import Callable, Coroutine, Sequence
from queue import Empty
from typing import Any

from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from recommender.errors import StoreUnavailable
from recommender.serving.network import completed
from recommender.serving.protocol import ReplyReader
from recommender.serving.state import NotAsked
from tests.simulation.network import Wire
from tests.simulation.world import Event, World


class SimulatedLink:
    """A connection of a reader: bytes out, bytes in."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._epoch = wire.epoch
        self._answered = Event(wire.world)
        self._received = b""
        self._broken = False

    def usable(self) -> bool:
        """Whether the server neither hung up nor sent data that nobody asked for."""
        return not self._broken and not self._received and self._epoch == self._wire.epoch

    def send(self, message: bytes, until: float) -> None:
        """Send a command; the server executes it a moment later."""
        wire, world = self._wire, self._wire.world
        if world.now >= until:
            raise NotAsked("deadline passed before the server was asked")
        command = tuple(message.split(b"\r\n")[2::2])
        fate = wire.faults.fate(world.random.random())
        self._answered.clear()
        there_s, back_s = world.random.expovariate(1000), world.random.expovariate(1000)
        if fate in {"late", "paused"}:
            there_s += world.random.random() * 0.2

        def execute() -> None:
            if fate in {"failed", "unanswered"} or self._epoch != wire.epoch:
                self._broken = True
                self._answered.set()
                return
            try:
                reply = resp(wire.server.execute(*command))
            except ResponseError as error:
                reply = b"-%b\r\n" % str(error).encode()
            world.at(world.now + back_s, lambda: self._arrive(reply))

        world.at(world.now + there_s, execute)

    def _arrive(self, reply: bytes) -> None:
        self._received += reply
        self._answered.set()

    async def receive(self, reader: ReplyReader, until: float) -> None:
        """Feed `reader` until it is complete."""
        if not self._answered.wait(until):
            raise TimeoutError("deadline passed before the reply was complete")
        if self._broken:
            raise StoreUnavailable("the server hung up")
        received, self._received = self._received, b""
        if not reader.feed(received):
            raise AssertionError(f"not a whole reply: {received!r:.80}")

    def close(self) -> None:
        """Close the connection."""
        self._broken = True


class SimulatedEvent(Event):
    """An event of the network of a reader."""

    async def wait_until(self, until: float) -> bool:
        """Wait; False where it did not happen by then."""
        return self.wait(until)


class SimulatedQueue:
    """Idle connections, the newest last."""

    def __init__(self, world: World) -> None:
        self._links: list[SimulatedLink] = []
        self._filled = Event(world)

    def put_nowait(self, link: SimulatedLink) -> None:
        """Add a connection."""
        self._links.append(link)
        self._filled.set()

    def get_nowait(self) -> SimulatedLink:
        """Take one. Raises: Empty."""
        if not self._links:
            raise Empty
        return self._links.pop(0)

    async def get_until(self, until: float) -> SimulatedLink:
        """Take one as soon as there is one. Raises: NotAsked."""
        while not self._links:
            self._filled.clear()
            if not self._filled.wait(until):
                raise NotAsked("no connection was free before the deadline")
        return self._links.pop(0)

    def qsize(self) -> int:
        """How many there are."""
        return len(self._links)

    def empty(self) -> bool:
        """Whether there is none."""
        return not self._links


class SimulatedNetwork:
    """Replaces `recommender.serving.network.Threads`: its waits are turns of other processes."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def event(self) -> SimulatedEvent:
        """An event."""
        return SimulatedEvent(self._wire.world)

    def queue(self) -> SimulatedQueue:
        """A queue of idle connections."""
        return SimulatedQueue(self._wire.world)

    async def connect(self, _pool: ConnectionPool) -> SimulatedLink:
        """Connect."""
        world, wire = self._wire.world, self._wire
        assert world.current is not None
        failed = world.random.random() < wire.faults.rates.get("failed", 0.0)
        world.current.wait(world.now + world.random.expovariate(500))
        if failed:
            raise RedisConnectionError("Connection refused")
        return SimulatedLink(wire)

    async def together(self, coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Run coroutines, one after the other."""
        waiting = list(coroutines)
        try:
            while waiting:
                await waiting.pop(0)
        finally:
            for coroutine in waiting:
                coroutine.close()

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], name: str
    ) -> Callable[[], object]:
        """Run a coroutine as a process."""
        return self._wire.world.start(name, lambda: completed(run())).kill


def resp(reply: Any) -> bytes:  # noqa: ANN401
    """A reply in RESP."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    return b"*%d\r\n%b" % (len(reply), b"".join(map(resp, reply)))
