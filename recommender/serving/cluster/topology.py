"""Which node of a Cluster has which key, and what one read asks of which node.

Nothing here speaks to a network: threads and asyncio share it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot

from recommender.serving.cluster.url import Address
from recommender.serving.polled_state import UNREAD

NOBODY = -1
REDIRECTION = re.compile(r"(?P<word>MOVED|ASK) [0-9]+ (?P<host>\S*):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Topology:
    """The primaries of a Cluster, and which of them owns each slot, or `NOBODY`."""

    nodes: tuple[Address, ...]
    owners: Sequence[int]

    def node_of(self, key: str) -> Address | None:
        """The node that has a key, None where none has its slot."""
        owner = self.owners[key_slot(key.encode())]
        return None if owner == NOBODY else self.nodes[owner]


def read_topology(reply: object, asked: Address) -> Topology:
    """Read the reply of `asked` to CLUSTER SLOTS. Raises: ValueError where it is none."""
    nodes: dict[Address, int] = {}
    owners = [NOBODY] * SLOTS
    try:
        for first, last, primary, *_ in reply:  # type: ignore[attr-defined]
            host = (primary[0] or b"").decode()
            # A node that does not know its own name gives none: it is where it was asked.
            address = (host if host not in ("", "?") else asked[0], int(primary[1]))
            number = nodes.setdefault(address, len(nodes))
            owners[first : last + 1] = [number] * (last + 1 - first)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f"no answer to CLUSTER SLOTS: {reply!r:.200}") from error
    if len(owners) != SLOTS or not nodes:
        raise ValueError(f"an answer to CLUSTER SLOTS without slots: {reply!r:.200}")
    return Topology(tuple(nodes), owners)


class Refusal(NamedTuple):
    """An error in place of a value; `elsewhere` is the node to ask instead, once if `asking`."""

    reason: str
    elsewhere: Address | None = None
    asking: bool = False


def refusal(line: str, asked: Address) -> Refusal:
    """Read an error line of `asked`, such as `MOVED 3999 host:6381`."""
    found = REDIRECTION.fullmatch(line)
    if found is None:
        return Refusal(line)
    address = (found["host"] or asked[0], int(found["port"]))
    return Refusal(line, address, asking=found["word"] == "ASK")


@dataclass(slots=True)
class Batch:
    """What one node is asked in one round trip: a GET for each of the keys at `rows`."""

    address: Address
    asking: bool = False
    rows: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def n_replies(self) -> int:
        """How many replies come: with `asking`, an acknowledgement before each value."""
        return len(self.rows) * (2 if self.asking else 1)

    def commands(self) -> Iterator[tuple[str, ...]]:
        """The commands to send at once."""
        for key in self.keys:
            if self.asking:
                yield ("ASKING",)
            yield ("GET", key)


class Reading:
    """The values of some keys, as they come from their nodes; what does not come is `UNREAD`."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys
        self._refused: dict[int, Refusal] = {}
        self._unplaced = False
        self.values: list[bytes | None] = [UNREAD] * len(keys)

    @property
    def astray(self) -> bool:
        """Whether the topology did not tell for every key which node has it."""
        return self._unplaced or bool(self._refused)

    def batches(self, topology: Topology) -> list[Batch]:
        """Ask each key's node. Keys whose slot no node has stay unread."""
        placed: dict[Address, Batch] = {}
        for row, key in enumerate(self._keys):
            address = topology.node_of(key)
            if address is None:
                self._unplaced = True
                continue
            batch = placed.get(address) or placed.setdefault(address, Batch(address))
            batch.rows.append(row)
            batch.keys.append(key)
        return list(placed.values())

    def redirected(self) -> list[Batch]:
        """Ask those nodes that the first named instead of themselves, as slots move."""
        placed: dict[tuple[Address, bool], Batch] = {}
        for row, refused in self._refused.items():
            if refused.elsewhere is not None:
                place = refused.elsewhere, refused.asking
                batch = placed.setdefault(place, Batch(*place))
                batch.rows.append(row)
                batch.keys.append(self._keys[row])
        return list(placed.values())

    def take(self, batch: Batch, replies: Sequence[bytes | Refusal | None]) -> Refusal | None:
        """Take the replies to a batch; returns the last refusal that there is among them."""
        refused = None
        answers = replies[1::2] if batch.asking else replies
        for row, answer in zip(batch.rows, answers, strict=True):
            if isinstance(answer, Refusal):
                self._refused[row] = refused = answer
            else:
                self.values[row] = answer
        return refused
