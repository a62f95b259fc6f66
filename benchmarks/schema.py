"""Layouts and encodings of a published list, side by side: how schema 1 was chosen.

    python -m benchmarks.schema [--items 20000] [--records] [--json]

Lists have 36 entries with ids of 8 characters, scores and evidence. A layout is a key per item, or
hashes of about a hundred items; an encoding is text in lines, JSON, msgpack or packed binary. Each
runs on a server of its own with default settings: the embedded Valkey, and redis-server where it
is installed. Last, how evenly each layout spreads over a Cluster: a third of the slots is a node's.
"""

import argparse
import json
import shutil
import struct
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from redis import Redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot
from redis.exceptions import RedisError

from benchmarks.machine import Row, report
from benchmarks.record_memory import record_rows
from recommender.core.related import EVIDENCE, RelatedItem
from recommender.publishing.embedded import server_binary

ENTRIES, SHOWN, BUCKET, BATCH, READS = 36, 12, 100, 500, 2000
LAYOUTS = ("key", "bucket")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
SCORES = {pair: (number + 1) / 4096 for number, pair in enumerate(PAIRS)}
LETTERS = "tbBpr"
NAMES = dict(zip(LETTERS, EVIDENCE, strict=True))

Entries = tuple[list[str], list[float], list[int]]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one list is written and read."""

    name: str
    encode: Callable[[str, Entries], bytes]
    decode: Callable[[bytes, int], list[RelatedItem]]


def text_encode(item: str, entries: Entries) -> bytes:
    """Own id, ids, evidence letters, scores: one line each."""
    ids, scores, evidence = entries
    codes = "".join([PAIRS[round(score * 4096) - 1] for score in scores])
    letters = "".join([LETTERS[code] for code in evidence])
    return f"{item}\n{chr(9).join(ids)}\n{letters}\n{codes}".encode()


def text_decode(value: bytes, n: int) -> list[RelatedItem]:
    """The first n entries."""
    _, ids, letters, codes = value.decode().split("\n")
    return [
        RelatedItem(item, SCORES[codes[2 * at : 2 * at + 2]], NAMES[letters[at]])
        for at, item in enumerate(ids.split("\t", n)[:n])
    ]


def json_encode(item: str, entries: Entries) -> bytes:
    """Id and triples."""
    rows = [[i, round(s, 4), EVIDENCE[e]] for i, s, e in zip(*entries, strict=True)]
    return json.dumps({"id": item, "items": rows}, separators=(",", ":")).encode()


def json_decode(value: bytes, n: int) -> list[RelatedItem]:
    """The first n entries."""
    return [RelatedItem(*row) for row in json.loads(value)["items"][:n]]


def msgpack_encode(item: str, entries: Entries) -> bytes:
    """Id, ids, scores as whole numbers, evidence."""
    ids, scores, evidence = entries
    return bytes(msgpack.packb([item, ids, [round(s * 4096) for s in scores], bytes(evidence)]))


def msgpack_decode(value: bytes, n: int) -> list[RelatedItem]:
    """The first n entries."""
    _, ids, scores, evidence = msgpack.unpackb(value)
    return [
        RelatedItem(item, score / 4096, EVIDENCE[code])
        for item, score, code in zip(ids[:n], scores, evidence, strict=False)
    ]


def packed_encode(item: str, entries: Entries) -> bytes:
    """Count, 16 bits of score and evidence each, then the ids."""
    ids, scores, evidence = entries
    codes = [(round(s * 4096) - 1) << 3 | e for s, e in zip(scores, evidence, strict=True)]
    return struct.pack(f"<B{len(ids)}H", len(ids), *codes) + "\t".join([item, *ids]).encode()


def packed_decode(value: bytes, n: int) -> list[RelatedItem]:
    """The first n entries."""
    count = value[0]
    codes = struct.unpack_from(f"<{min(n, count)}H", value, 1)
    ids = value[1 + 2 * count :].decode().split("\t", n + 1)[1 : n + 1]
    return [
        RelatedItem(item, ((code >> 3) + 1) / 4096, EVIDENCE[code & 7])
        for item, code in zip(ids, codes, strict=True)
    ]


ENCODINGS = (
    Encoding("text", text_encode, text_decode),
    Encoding("json", json_encode, json_decode),
    Encoding("msgpack", msgpack_encode, msgpack_decode),
    Encoding("packed", packed_encode, packed_decode),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Layouts and encodings of a published list.")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--records", action="store_true", help="only the memory of records")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    for server, binary in servers().items():
        with running(binary) as store:
            rows += record_rows(store, server, options.items)
        for encoding in () if options.records else ENCODINGS:
            values = dict(lists(options.items, encoding))
            for layout in LAYOUTS:
                with running(binary) as store:
                    rows += measured(store, f"{server} {layout} {encoding.name}", values, encoding)
    items = [item for item, _ in lists(options.items, ENCODINGS[0])]
    for layout in () if options.records else LAYOUTS:
        rows += spread(layout, items)
    report(rows, as_json=options.json)


def spread(layout: str, items: list[str]) -> list[Row]:
    """How the lists of a layout fall on the slots of a Cluster, and on three nodes."""
    place = placing(layout, len(items))
    slots = np.bincount([key_slot(place(item).encode()) for item in items], minlength=SLOTS)
    nodes = [int(part.sum()) for part in np.array_split(slots, 3)]
    slots_used = float(np.count_nonzero(slots))
    return [
        Row(
            f"cluster {layout}: lists on the fullest of three nodes",
            max(nodes),
            "lists",
            len(items) / 3,
        ),
        Row(
            f"cluster {layout}: lists on the fullest slot",
            float(slots.max()),
            "lists",
            len(items) / SLOTS,
        ),
        Row(f"cluster {layout}: slots that have lists", slots_used, "slots", float(SLOTS)),
    ]


def placing(layout: str, n_items: int) -> Callable[[str], str]:
    """The key under which a layout has an item's list."""
    n_buckets = max(1, n_items // BUCKET)

    def place(item: str) -> str:
        number = zlib.crc32(item.encode()) % n_buckets
        return f"rec:acme:12:related:{number if layout == 'bucket' else item}"

    return place


def lists(n_items: int, encoding: Encoding) -> Iterator[tuple[str, bytes]]:
    """Encoded lists of n items."""
    rng = np.random.default_rng(0)
    ids = np.array([f"SKU{number:05d}" for number in range(n_items)], dtype=object)
    for item in ids:
        related = ids[rng.integers(0, n_items, ENTRIES)].tolist()
        scores = np.sort(rng.uniform(0.01, 1, ENTRIES))[::-1].tolist()
        yield item, encoding.encode(item, (related, scores, rng.integers(0, 3, ENTRIES).tolist()))


def measured(store: "Redis", name: str, values: dict[str, bytes], encoding: Encoding) -> list[Row]:
    """Bytes an item, publish and delete rate, and latency of one and of fifty."""
    bucketed = " bucket " in name
    place = placing("bucket" if bucketed else "key", len(values))
    before = int(store.info("memory")["used_memory"])
    started = time.perf_counter()
    write(store, values, place, bucketed=bucketed)
    loaded_s = time.perf_counter() - started
    size = (int(store.info("memory")["used_memory"]) - before) / len(values)
    items = list(values)
    one, raw_one = latencies(store, items, place, encoding, at_once=1, bucketed=bucketed)
    many, raw_many = latencies(store, items, place, encoding, at_once=50, bucketed=bucketed)
    started = time.perf_counter()
    names = sorted({place(item) for item in items})
    for start in range(0, len(names), BATCH):
        store.unlink(*names[start : start + BATCH])
    deleted_s = time.perf_counter() - started
    return [
        Row(f"{name}: memory an item", size, "bytes", float(ENTRIES * 8)),
        Row(f"{name}: write, encoding not counted", len(values) / loaded_s, "lists/s"),
        Row(f"{name}: get one, p50, beside the bare read", one, "us", raw_one),
        Row(f"{name}: get fifty, p50, beside the bare read", many, "us", raw_many),
        Row(f"{name}: unlink", len(values) / deleted_s, "lists/s"),
    ]


def write(
    store: "Redis", values: dict[str, bytes], place: Callable[[str], str], *, bucketed: bool
) -> None:
    """Load all lists in batches."""
    if not bucketed:
        pairs = [(place(item), value) for item, value in values.items()]
        for start in range(0, len(pairs), BATCH):
            store.mset(dict(pairs[start : start + BATCH]))
        return
    buckets: dict[str, dict[Any, Any]] = {}
    for item, value in values.items():
        buckets.setdefault(place(item), {})[item] = value
    for name, fields in buckets.items():
        store.hset(name, mapping=fields)


def latencies(
    store: "Redis",
    items: list[str],
    place: Callable[[str], str],
    encoding: Encoding,
    *,
    at_once: int,
    bucketed: bool,
) -> tuple[float, float]:
    """Median microseconds of a decoded read and of a bare one, taken in turn."""
    rng = np.random.default_rng(1)
    decoded: list[float] = []
    bare: list[float] = []
    for _ in range(max(200, READS // at_once)):
        asked = [items[at] for at in rng.integers(0, len(items), at_once)]
        for times, decodes in ((bare, False), (decoded, True)):
            started = time.perf_counter()
            for value in read(store, asked, place, bucketed=bucketed):
                if decodes:
                    encoding.decode(value, SHOWN)
            times.append(time.perf_counter() - started)
    return float(np.median(decoded) * 1e6), float(np.median(bare) * 1e6)


def read(store: "Redis", asked: list[str], place: Callable[[str], str], *, bucketed: bool) -> Any:  # noqa: ANN401
    """The values of some items in one round trip."""
    if not bucketed:
        names = [place(item) for item in asked]
        return [store.get(names[0])] if len(names) == 1 else store.mget(names)
    if len(asked) == 1:
        return [store.hget(place(asked[0]), asked[0])]
    with store.pipeline(transaction=False) as commands:
        for item in asked:
            commands.hget(place(item), item)
        return commands.execute()


def servers() -> dict[str, str]:
    """The servers that are here."""
    found = {"valkey": str(server_binary())}
    if redis_server := shutil.which("redis-server"):
        found["redis"] = redis_server
    return found


@contextmanager
def running(binary: str) -> Iterator["Redis"]:
    """A server with default settings on a unix socket."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "s"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        server = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL)
        try:
            yield connected(socket)
        finally:
            server.terminate()
            server.wait()


def connected(socket: Path) -> "Redis":
    """A client once the server answers."""
    deadline = time.monotonic() + 10
    while True:
        try:
            client = Redis(unix_socket_path=str(socket))
            client.ping()
        except RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return client


if __name__ == "__main__":
    main()
