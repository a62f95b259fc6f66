"""Which faults and threats are shown by a test: rows of the matrix that a release must hold.

A test names its rows by `@pytest.mark.fault(9, "S2")`. Numbers are faults, S numbers are threats.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROWS: dict[int | str, str] = {
    5: "Redis killed in the middle of a publish, restarted with its log",
    6: "Redis restarted with nothing",
    7: "Redis emptied by somebody",
    9: "memory runs out in the middle of a publish",
    10: "memory is too little from the start",
    11: "Redis forgets keys to make room",
    12: "lists of what is live are gone",
    14: "Redis cannot write to its disk",
    19: "Redis is slow",
    20: "Redis accepts and never answers",
    21: "a reply is cut off",
    22: "the connection is refused",
    23: "a name is not resolved, or to many addresses",
    24: "asyncio cancels a question",
    25: "a process forks after it connected",
    41: "hostile ids",
    42: "an absurd number of items",
    45: "an older reader, a newer schema",
    46: "a newer reader, an older schema",
    51: "a replica takes over in the middle of a publish",
    52: "the pointer can be read, a list cannot",
    53: "a swap under load",
    54: "a rollback, under load and at full memory",
    55: "the collector and a reader that was paused",
    56: "files, threads, memory after many publishes",
    57: "a password is wrong or changed, a certificate expired",
    "S2": "an id from a URL becomes a key",
    "S3": "a flood of random ids",
    "S4": "a huge number of entries or seeds",
    "S5": "Redis open to strangers",
    "S6": "faults of the server's script engine",
    "S14": "secrets in logs",
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
