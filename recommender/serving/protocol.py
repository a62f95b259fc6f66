"""The Redis protocol, without a network: RESP2, and which node of a Cluster has which key."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot

from recommender.errors import StoreUnavailable
from recommender.serving.state import OVERSIZED, UNREAD, Command, Refused
from recommender.serving.urls import Address

MAX_BYTES = 2**20
"""Of a value that is kept; a related list has a few kB."""
MAX_SENT = 512 * 2**20
"""Of a value that is sent, as Redis allows."""
MAX_VALUES = 64 * 2**20
"""Of one array."""
MAX_LINE = 1024

NO_NODE = -1
REDIRECTION = re.compile(r"(?P<word>MOVED|ASK) [0-9]+ (?P<host>\S*):(?P<port>[0-9]{1,5})")


class ErrorReply(NamedTuple):
    """An error in place of a value; `redirect` is the node to ask next, only once if `asking`."""

    reason: str
    redirect: Address | None = None
    asking: bool = False


NodeReply = bytes | ErrorReply | None
"""One reply of a batch."""


def error_reply(line: str, node: Address) -> ErrorReply:
    """Read an error line of `node`, such as `MOVED 3999 host:6381`."""
    found = REDIRECTION.fullmatch(line)
    if found is None:
        return ErrorReply(line)
    address = (found["host"] or node[0], int(found["port"]))
    return ErrorReply(line, address, asking=found["word"] == "ASK")


def packed(command: Command) -> bytes:
    """Write a command as RESP."""
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        raw = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class ReplyReader:
    """Parses replies in RESP2 as they arrive.

    Without `node` it reads one reply, an array of strings and nils: of `count` values where that
    is given. With `node` it reads `count` replies of that node: strings, nils, words and errors.
    A string of more than `MAX_BYTES` is dropped as it arrives, and `OVERSIZED` takes its place.
    """

    def __init__(self, count: int = -1, node: Address | None = None) -> None:
        self.values: list[Any] = []  # of bytes | None, with `node` of NodeReply
        self._count = count
        self._missing = -1 if node is None else count
        self._node = node
        self._rest = b""
        self._dropping = 0
        self.oversized = False

    def so_far(self) -> list[Any]:
        """The values that are complete, and `UNREAD` for those that were expected too."""
        return self.values + [UNREAD] * self._missing

    def feed(self, data: bytes) -> bool:
        """Take the data that arrived; True once all that was expected is complete.

        Raises: Refused for an error in place of an array; StoreUnavailable for another kind of
        reply, or bytes behind its end.
        """
        if self._dropping:
            dropped = min(self._dropping, len(data))
            self._dropping -= dropped
            data = data[dropped:]
        if self._rest:
            data = self._rest + data
        place = 0
        if self._missing < 0:
            if data.startswith(b"-") and data.find(b"\r\n") == len(data) - 2:
                raise Refused(data[1:-2].decode(errors="replace"))
            header = _header(data, 0, b"*")
            if header is None:
                self._rest = data
                return False
            self._missing, place = header
            if self._count not in (-1, self._missing):
                raise StoreUnavailable(f"{self._missing} values for {self._count} keys")
        place = self._take(data, place)
        self._rest = data[place:]
        if self._rest and not self._missing:
            raise StoreUnavailable(f"bytes behind a reply: {self._rest!r:.80}")
        return not (self._missing or self._dropping)

    def _take(self, data: bytes, place: int) -> int:
        while self._missing:
            if self._node and data[place : place + 1] in (b"-", b"+"):
                end = data.find(b"\r\n", place)
                if end < 0:
                    _require_short(data, place)
                    break
                self.values.append(self._word(data[place:end], self._node))
                place = end + 2
                self._missing -= 1
                continue
            header = _header(data, place, b"$")
            if header is None:
                break
            size, start = header
            stop = start + size
            if size < 0:
                self.values.append(None)
                place = start
            elif size > MAX_BYTES:
                self.oversized = True
                self.values.append(OVERSIZED)
                place = min(stop + 2, len(data))
                self._dropping = stop + 2 - place
            elif len(data) < stop + 2:
                break
            else:
                self.values.append(data[start:stop])
                place = stop + 2
            self._missing -= 1
        return place

    def _word(self, line: bytes, node: Address) -> NodeReply:
        if line.startswith(b"+"):
            return line[1:]
        return error_reply(line[1:].decode(errors="replace"), node)


def _require_short(data: bytes, place: int) -> None:
    """Refuse a line whose end has not arrived after `MAX_LINE` bytes."""
    if len(data) - place > MAX_LINE:
        raise StoreUnavailable(f"malformed reply {data[place : place + 80]!r}")


def _header(data: bytes, place: int, kind: bytes) -> tuple[int, int] | None:
    """The number in a line of `kind` and the place after it, None before its end has arrived."""
    end = data.find(b"\r\n", place)
    if end < 0:
        _require_short(data, place)
        return None
    number = data[place + 1 : end]
    if data[place : place + 1] == kind:
        most = MAX_SENT if kind == b"$" else MAX_VALUES
        if number.isdigit() and len(number) < 10 and int(number) <= most:
            return int(number), end + 2
        if number == b"-1" and kind == b"$":
            return -1, end + 2
    raise StoreUnavailable(f"refused or malformed reply {data[place : min(end, place + 160)]!r}")


def array_reader(command: Command) -> ReplyReader:
    """A reader of the array that replies to `command`."""
    return ReplyReader(len(command) - 1 if command[0] == "MGET" else -1)


@dataclass(frozen=True, slots=True)
class Topology:
    """The primaries of a Cluster, and which of them owns each slot, or `NO_NODE`."""

    nodes: tuple[Address, ...]
    owners: Sequence[int]

    def node_of(self, key: str) -> Address | None:
        """The node that has a key, None where none has its slot."""
        owner = self.owners[key_slot(key.encode())]
        return None if owner == NO_NODE else self.nodes[owner]


def read_topology(reply: object, node: Address) -> Topology:
    """Read the reply of `node` to CLUSTER SLOTS. Raises: ValueError where it is malformed."""
    nodes: dict[Address, int] = {}
    owners = [NO_NODE] * SLOTS
    try:
        for first, last, primary, *_ in reply:  # type: ignore[attr-defined]
            host = (primary[0] or b"").decode()
            # A node that does not know its own name leaves it out: it is the node that replied.
            address = (host if host not in ("", "?") else node[0], int(primary[1]))
            number = nodes.setdefault(address, len(nodes))
            owners[first : last + 1] = [number] * (last + 1 - first)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"malformed reply to CLUSTER SLOTS: {reply!r:.200}") from error
    if len(owners) != SLOTS or not nodes:
        raise ValueError(f"reply to CLUSTER SLOTS without slots: {reply!r:.200}")
    return Topology(tuple(nodes), owners)


@dataclass(slots=True)
class NodeBatch:
    """The part of a read that one node gets in one round trip: a GET for each key at `rows`."""

    address: Address
    asking: bool = False
    rows: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def n_replies(self) -> int:
        """The number of replies; with `asking`, each value follows an acknowledgement."""
        return len(self.rows) * (2 if self.asking else 1)

    def commands(self) -> Iterator[tuple[str, ...]]:
        """The commands to send at once."""
        for key in self.keys:
            if self.asking:
                yield ("ASKING",)
            yield ("GET", key)


class ClusterRead:
    """The values of some keys, filled in as their nodes reply; the others are `UNREAD`."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._errors: dict[int, ErrorReply] = {}
        self._unplaced = False
        self.values: list[bytes | None] = [UNREAD] * len(keys)

    @property
    def outdated(self) -> bool:
        """Whether the topology was wrong, or incomplete, for some key."""
        return self._unplaced or bool(self._errors)

    def batches(self, topology: Topology) -> list[NodeBatch]:
        """Group the keys by node. Keys whose slot no node has stay unread."""
        nodes = [topology.node_of(key) for key in self._keys]
        self._unplaced = None in nodes
        return self._batched((row, node, False) for row, node in enumerate(nodes) if node)

    def redirected(self) -> list[NodeBatch]:
        """Group the keys that the nodes redirected, because their slots move, by the new node."""
        return self._batched(
            (row, error.redirect, error.asking)
            for row, error in self._errors.items()
            if error.redirect
        )

    def take(self, batch: NodeBatch, replies: Sequence[NodeReply]) -> ErrorReply | None:
        """Take the replies to a batch; returns the last error among them."""
        error = None
        answers = replies[1::2] if batch.asking else replies
        for row, answer in zip(batch.rows, answers, strict=True):
            if isinstance(answer, ErrorReply):
                self._errors[row] = error = answer
            else:
                self.values[row] = answer
        return error

    def _batched(self, places: Iterable[tuple[int, Address, bool]]) -> list[NodeBatch]:
        batches: dict[tuple[Address, bool], NodeBatch] = {}
        for row, node, asking in places:
            batch = batches.setdefault((node, asking), NodeBatch(node, asking))
            batch.rows.append(row)
            batch.keys.append(self._keys[row])
        return list(batches.values())
