"""Several round trips at once, over connections of which none waits for another."""

import select
import ssl
import time
from collections.abc import Sequence

from recommender.errors import StoreUnavailable
from recommender.serving.cluster.topology import Batch
from recommender.serving.resp import SeveralReplies, packed
from recommender.serving.transport import CHUNK, Wire

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Flight:
    """A batch on its way over one connection. Nothing waits in it."""

    def __init__(self, wire: Wire, batch: Batch) -> None:
        self.wire = wire
        self.batch = batch
        self.reader = SeveralReplies(batch.n_replies, batch.address)
        self.done = False
        self.error: Exception | None = None
        self._unsent = memoryview(b"".join(map(packed, batch.commands())))
        wire.socket.setblocking(False)

    @property
    def interest(self) -> int:
        """What the connection must be ready for."""
        return select.POLLIN | select.POLLOUT if self._unsent else select.POLLIN

    def advance(self) -> None:
        """Send and receive what can be now; when done, there is an error or all is read."""
        try:
            self._exchange()
        except WOULD_BLOCK:
            return
        except (OSError, StoreUnavailable) as error:
            self.done, self.error = True, error

    def _exchange(self) -> None:
        socket = self.wire.socket
        while self._unsent:
            self._unsent = self._unsent[socket.send(self._unsent) :]
        while not self.done:
            data = socket.recv(CHUNK)
            if not data:
                raise StoreUnavailable("the server hung up")
            self.done = self.reader.feed(data)


def fly(flights: Sequence[Flight], until: float) -> None:
    """Advance all flights until each is done, with an error where that is not before `until`."""
    poller = select.poll()
    pending: dict[int, Flight] = {}
    for flight in flights:
        flight.advance()
        if not flight.done:
            pending[flight.wire.socket.fileno()] = flight
            poller.register(flight.wire.socket, flight.interest)
    while pending and (seconds := until - time.monotonic()) > 0:
        for number, _ in poller.poll(seconds * 1000):
            flight = pending[number]
            flight.advance()
            if flight.done:
                poller.unregister(number)
                del pending[number]
            else:
                poller.modify(number, flight.interest)
    for flight in pending.values():
        flight.done, flight.error = True, StoreUnavailable("deadline passed")
