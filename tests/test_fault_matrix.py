"""Which faults and threats are shown by a test: rows of the matrix that a release must hold.

A test names its rows by `@pytest.mark.fault(9, "S2")`. Numbers are faults, S numbers are threats.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROWS: dict[int | str, str] = {
    1: "a pool child is killed",
    2: "a whole worker is killed",
    3: "a process is asked to end",
    4: "a step that takes too much memory, each time",
    5: "Redis killed in the middle of a publish, restarted with its log",
    6: "Redis restarted with nothing",
    7: "Redis emptied by somebody",
    8: "the broker dies and its queue is lost",
    9: "memory runs out in the middle of a publish",
    10: "memory is too little from the start",
    11: "Redis forgets keys to make room",
    12: "lists of what is live are gone",
    13: "the disk of artifacts is full",
    14: "Redis cannot write to its disk",
    15: "a write is torn",
    16: "a generation is half written",
    17: "a bit of an artifact flips",
    18: "a file of an artifact is cut",
    19: "Redis is slow",
    20: "Redis accepts and never answers",
    21: "a reply is cut off",
    22: "the connection is refused",
    23: "a name is not resolved, or to many addresses",
    24: "asyncio cancels a question",
    25: "a process forks after it connected",
    26: "a fork after a heavy library was loaded",
    27: "the clock jumps",
    28: "two reindexes at once, one paused past its lease",
    29: "two beats",
    30: "a task is delivered several times",
    31: "a forged message",
    35: "no items",
    36: "one item",
    37: "all items the same",
    38: "no interactions, or one giant customer",
    39: "a catalogue that shrank",
    40: "one id twice",
    41: "hostile ids",
    42: "an absurd number of items",
    45: "an older reader, a newer schema",
    46: "a newer reader, an older schema",
    48: "another text model or dimension, between runs and amid one",
    49: "a text API that is busy, broken or hangs",
    50: "a text API that answers nonsense, or leads elsewhere",
    51: "a replica takes over in the middle of a publish",
    52: "the pointer can be read, a list cannot",
    53: "a swap under load",
    54: "a rollback, under load and at full memory",
    55: "the collector and a reader that was paused",
    56: "files, threads, memory after many publishes",
    57: "a password is wrong or changed, a certificate expired",
    59: "an object store is busy, slow, or lists late",
    "S2": "an id from a URL becomes a key",
    "S3": "a flood of random ids",
    "S4": "a huge number of entries or seeds",
    "S5": "Redis open to strangers",
    "S6": "faults of the server's script engine",
    "S7": "a pickle in a message",
    "S8": "arguments of a task that lead elsewhere",
    "S9": "a model folder that runs code",
    "S10": "an array or manifest that was forged",
    "S11": "a manifest that leads outside",
    "S13": "a text API as a way into the network",
    "S14": "secrets in logs",
    "S15": "who the customers are",
    "S18": "a storm of connections to a server that is down",
    "S19": "an item that must not be shown",
    "S21": "one shop reads another's lists",
}


def marked() -> Iterator[int | str]:
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                yield from (ast.literal_eval(row) for row in node.args)


def test_every_row_has_a_test_and_every_mark_a_row() -> None:
    assert set(marked()) == set(ROWS)
