"""RESP2 as lookups write and read it."""

from recommender.errors import StoreUnavailable
from recommender.serving.cluster.topology import Refusal, refusal
from recommender.serving.cluster.url import Address
from recommender.serving.polled_state import Command, Reply

MAX_BYTES = 64 * 2**20
"""Of one value. Redis allows 512 MiB; a related list has a few kB."""
MAX_LINE = 1024


def packed(command: Command) -> bytes:
    """Write a command as RESP."""
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        raw = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def require_answer(command: Command, reply: Reply) -> None:
    """Refuse a reply to another command. Raises: StoreUnavailable."""
    if command[0] == "MGET" and len(reply) != len(command) - 1:
        raise StoreUnavailable(f"{len(reply)} values for {len(command) - 1} keys")


class ReplyReader:
    """Takes one reply in RESP2 as it arrives: an array of strings and nils, or an error."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self._rest = b""
        self._missing = -1

    def feed(self, data: bytes) -> bool:
        """Take what arrived; True once the reply is complete.

        Raises: StoreUnavailable for an error, another kind of reply, or bytes behind its end.
        """
        if self._rest:
            data = self._rest + data
        place = 0
        if self._missing < 0:
            header = _header(data, 0, b"*")
            if header is None:
                self._rest = data
                return False
            self._missing, place = header
        place = self._take(data, place)
        self._rest = data[place:]
        if self._rest and not self._missing:
            raise StoreUnavailable(f"bytes behind a reply: {self._rest!r:.80}")
        return not self._missing

    def _take(self, data: bytes, place: int) -> int:
        while self._missing:
            header = _header(data, place, b"$")
            if header is None:
                break
            size, start = header
            stop = start + size
            if size < 0:
                self.values.append(None)
                place = start
            elif len(data) < stop + 2:
                break
            else:
                self.values.append(data[start:stop])
                place = stop + 2
            self._missing -= 1
        return place


class SeveralReplies:
    """Takes `count` replies of `node` in RESP2 as they arrive: strings, nils, words, errors."""

    def __init__(self, count: int, node: Address) -> None:
        self.values: list[bytes | Refusal | None] = []
        self._count = count
        self._node = node
        self._rest = b""

    def feed(self, data: bytes) -> bool:
        """Take what arrived; True once all replies are complete.

        Raises: StoreUnavailable for another kind of reply, or bytes behind the last.
        """
        data = self._rest + data
        place = 0
        while len(self.values) < self._count:
            taken = self._taken(data, place)
            if taken is None:
                break
            value, place = taken
            self.values.append(value)
        self._rest = data[place:]
        complete = len(self.values) == self._count
        if self._rest and complete:
            raise StoreUnavailable(f"bytes behind a reply: {self._rest!r:.80}")
        return complete

    def _taken(self, data: bytes, place: int) -> tuple[bytes | Refusal | None, int] | None:
        """The reply at `place` and where the next begins, None before its end."""
        kind = data[place : place + 1]
        if kind in (b"-", b"+"):
            end = data.find(b"\r\n", place, place + MAX_LINE)
            if end < 0:
                if len(data) - place > MAX_LINE:
                    raise StoreUnavailable(f"malformed reply {data[place : place + 80]!r}")
                return None
            line = data[place + 1 : end]
            if kind == b"+":
                return line, end + 2
            return refusal(line.decode(errors="replace"), self._node), end + 2
        header = _header(data, place, b"$")
        if header is None:
            return None
        size, start = header
        if size < 0:
            return None, start
        stop = start + size
        return (data[start:stop], stop + 2) if len(data) >= stop + 2 else None


def _header(data: bytes, place: int, kind: bytes) -> tuple[int, int] | None:
    """The number that a line of `kind` holds and where the next begins, None before its end."""
    end = data.find(b"\r\n", place)
    if end < 0:
        if len(data) - place > MAX_LINE:
            raise StoreUnavailable(f"malformed reply {data[place : place + 80]!r}")
        return None
    number = data[place + 1 : end]
    if data[place : place + 1] == kind:
        if number.isdigit() and len(number) < 10 and int(number) <= MAX_BYTES:
            return int(number), end + 2
        if number == b"-1" and kind == b"$":
            return -1, end + 2
    raise StoreUnavailable(f"refused or malformed reply {data[place : min(end, place + 160)]!r}")
