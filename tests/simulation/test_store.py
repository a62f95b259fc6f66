"""The simulated server replies as a real one does."""

import random

import pytest
from redis import Redis
from redis.connection import AbstractConnection
from redis.exceptions import ResponseError

from recommender.publishing import scripts
from tests.simulation.network import encoded
from tests.simulation.store import SimulatedServer
from workers import shard_leases

NUMBERS = ["1", "2", "3"]
STRINGS, HASHES, SORTED = ["s1", "s2"], ["h1", "h2"], ["z1", "z2"]
POINTERS = [
    f'{{"schema":1,"fence":{fence},"layers":[{fence}],"placements":["p"]}}' for fence in (1, 2, 3)
]
POINTERS += ['{"fence":2,"layers":[1,2],"canary":{"layers":[3]}}', "junk", "[]", '{"fence":null}']


def command(chance: random.Random) -> tuple[str | int, ...]:
    """A command of those that production code sends, on few keys."""
    string, table, ordered = (chance.choice(names) for names in (STRINGS, HASHES, SORTED))
    number, value = chance.choice(NUMBERS), chance.choice([*NUMBERS, *POINTERS, "owner"])
    state, member = chance.choice(["staging", "complete"]), chance.choice(["+a", "-a", "+b", "1"])
    anything = chance.choice([*STRINGS, *HASHES, *SORTED, "none"])
    return chance.choice(
        [
            ("SET", string, value),
            ("SET", string, value, "NX", "PX", 60000),
            ("GET", anything),
            ("MGET", *STRINGS, anything),
            ("MSET", *[part for key in STRINGS for part in (key, value)]),
            ("INCR", string),
            ("EXISTS", *STRINGS, anything),
            ("UNLINK", anything, string),
            ("HSET", table, "state", state, "owner", value),
            ("HGET", table, "state"),
            ("HGETALL", table),
            ("SADD", "set", member, number),
            ("ZADD", ordered, number, member),
            ("ZREM", ordered, member, "gone"),
            ("ZRANGE", ordered, 0, -1),
            ("ZRANGE", anything, 0, 0),
            ("ZREVRANGE", ordered, 0, -1),
            ("ZRANGEBYSCORE", ordered, f"({number}", "+inf"),
            ("ZRANGEBYSCORE", ordered, "-inf", "+inf"),
            ("ZSCORE", ordered, member),
            ("PING", "probe"),
            ("EVAL", scripts.NEXT_FENCE, 1, string, number),
            ("EVAL", scripts.RENEW_LEASE, 1, string, value, 60000),
            ("EVAL", scripts.RELEASE_LEASE, 1, string, value),
            ("EVAL", scripts.COMPLETE, 2, string, table, value),
            ("EVAL", scripts.SWAP, 4, *STRINGS, *HASHES, number, chance.choice(POINTERS), number),
            (
                "EVAL",
                scripts.SWAP,
                3,
                *STRINGS,
                table,
                number,
                value,
                number,
                chance.choice(NUMBERS),
            ),
            ("EVAL", scripts.RETIRE, 5, *STRINGS, "s3", *HASHES, value, "1", "2"),
            ("EVAL", shard_leases.RENEW, 1, string, value, 60000),
            ("EVAL", scripts.TRIM_HIDDEN, 2, ordered, string, number, member),
        ]
    )


@pytest.mark.parametrize("seed", range(5))
def test_replies_are_those_of_a_real_server(store: Redis, seed: int) -> None:
    chance = random.Random(seed)
    simulated = SimulatedServer(lambda: 0.0)
    connection = store.connection_pool.get_connection()
    for number in range(400):
        words = command(chance)
        expected, found = asked(connection, words), simulation_of(simulated, words)
        assert found == expected, f"{number}: {words}"


def asked(connection: AbstractConnection, words: tuple[str | int, ...]) -> object:
    """The reply of a real server, its errors by their first word."""
    connection.send_command(*words)  # type: ignore[no-untyped-call]
    try:
        reply = connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return f"error {str(error).split()[0] if 'WRONGTYPE' in str(error) else ''}"
    return reply


def simulation_of(server: SimulatedServer, words: tuple[str | int, ...]) -> object:
    """The reply of the simulated server."""
    try:
        return server.execute(*map(encoded, words))
    except ResponseError as error:
        return f"error {str(error).split()[0] if 'WRONGTYPE' in str(error) else ''}"
    except Exception:
        return "error "
