"""The readers of docs/readers against what is published, with nothing of Python between."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.publishing.item_changes import ItemChanges
from recommender.publishing.publisher import Publisher
from recommender.publishing.records import Records
from recommender.serving import codec
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from tests.serving import builds, servers
from tests.support.repository import REPOSITORY
from tests.topologies.nodes import program

READERS = REPOSITORY / "docs" / "readers"
NEEDED = {"sh": "redis-cli", "mjs": "node"}
HOSTILE = [
    *("a b", "  ", "50%", "%25", "{acme}", "}{", "ü🍒", '"q"', "it's", "back\\slash\\n", "*"),
    *("$HOME", "`id`", "-n", "007", "7", "7.0", "a&b", "x:y:z", "rec:{acme}:live", "(nil)"),
]

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    binary = servers.binary_of("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.sock")
        with servers.running(binary, path):
            yield path


@pytest.fixture
def store(socket: Path) -> Iterator[Redis]:
    store = servers.emptied(f"unix://{socket}")
    yield store
    store.close()


@pytest.fixture(params=[*NEEDED])
def reader(request: pytest.FixtureRequest) -> str:
    """The ending of a reader's files."""
    ending: str = request.param
    program(NEEDED[ending])
    return ending


def read(
    reader: str, socket: Path, item: str, what: str = "related"
) -> subprocess.CompletedProcess[str]:
    path = str(READERS / f"{what}.{reader}")
    if reader == "sh":
        command = ["sh", path, "acme", item]
    else:
        placement = ["related"] if what == "related" else []
        command = ["node", path, "acme", item, *placement, str(socket)]
    environment = os.environ | {"REDIS_OPTIONS": f"-s {socket}"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def shown(reader: str, socket: Path, item: str) -> list[tuple[str, float]]:
    answer = read(reader, socket, item)
    assert answer.returncode == 0, answer.stderr
    rows = [line.split("\t") for line in answer.stdout.splitlines()]
    return [(entry, float(score)) for entry, score in rows]


def lay(store: Redis, layer: int, item: str, ids: list[str], *, own: str | None = None) -> None:
    """Write a list by hand, with scores that use the whole range of levels."""
    scores = [(codec.LEVELS - 97 * place) / codec.LEVELS for place in range(len(ids))]
    value = codec.encode_list(item if own is None else own, ids, scores, [0] * len(ids))
    store.set(Keys("acme").related_list(layer, "related", item), value)


def point(store: Redis, pointer: Pointer) -> None:
    store.set(Keys("acme").live, codec.encode_pointer(pointer))


def test_what_a_build_publishes_is_read(reader: str, socket: Path, store: Redis) -> None:
    publisher = Publisher(store, "acme", grace_s=0.0)
    ids = ItemIds((*HOSTILE, "last"))
    lists = [builds.related_lists(len(ids), build=2)]
    publisher.publish(ids, lists, lists_key="l", recipe_digest="d")
    for row in (0, len(ids) - 1):
        names = [ids.ids[(row + step) % len(ids)] for step in (1, 2, 3)]
        assert shown(reader, socket, ids.ids[row]) == [(name, 0.5) for name in names]


@pytest.mark.parametrize("item", HOSTILE)
def test_any_id_is_found_under_its_own_key(
    reader: str, socket: Path, store: Redis, item: str
) -> None:
    point(store, Pointer(8, View((8,), ("related",))))
    lay(store, 8, item, ["first", *HOSTILE])
    expected = [
        (name, (codec.LEVELS - 97 * place) / codec.LEVELS)
        for place, name in enumerate(["first", *HOSTILE])
    ]
    assert shown(reader, socket, item) == expected


def test_the_newest_layer_answers_and_the_canary_never(
    reader: str, socket: Path, store: Redis
) -> None:
    canary = View((9,), ("related",))
    point(store, Pointer(10, View((8, 7), ("related",)), canary, 1.0))
    for layer in (9, 7):
        lay(store, layer, "a", [f"from-{layer}"])
    lay(store, 8, "b", ["from-8"])
    lay(store, 7, "b", ["from-7"])
    assert shown(reader, socket, "a") == [("from-7", 1.0)]
    assert shown(reader, socket, "b") == [("from-8", 1.0)]


def test_a_list_without_entries_is_an_answer(reader: str, socket: Path, store: Redis) -> None:
    point(store, Pointer(8, View((8, 7), ("related",))))
    lay(store, 8, "a", [])
    lay(store, 7, "a", ["from-7"])
    assert shown(reader, socket, "a") == []


def test_what_is_not_there_fails(reader: str, socket: Path, store: Redis) -> None:
    def fails(item: str) -> bool:
        answer = read(reader, socket, item)
        return answer.returncode != 0 and answer.stdout == ""

    assert fails("a")
    point(store, Pointer(8, View((8,), ("related",))))
    assert fails("a")
    lay(store, 8, "a", ["b"], own="7")
    assert fails("a")
    lay(store, 8, "7", ["b"], own="007")
    assert fails("7")
    store.lpush(Keys("acme").related_list(8, "related", "list"), "x")
    assert fails("list")


def record(reader: str, socket: Path, item: str) -> dict[str, Any]:
    """The record as a reader in the shell or Node has it, with what changed."""
    answer = read(reader, socket, item, "record")
    assert answer.returncode == 0, answer.stderr
    shown: dict[str, Any] = {}
    for line in answer.stdout.splitlines():
        shown |= json.loads(line or "{}")
    return {name: shown[name] for name in shown if not name.startswith("version")}


def test_records_are_read_with_what_changed_of_them(
    reader: str, socket: Path, store: Redis
) -> None:
    ids = ItemIds((*HOSTILE, "last"))
    titled = Catalogue.of_titles(ids, [f'"{item}" & 50 % 🍒' for item in ids.ids])
    priced = replace(titled, price=np.full(len(ids), 9.99, dtype=np.float32))
    Publisher(store, "acme", grace_s=0.0).publish(
        ids,
        [builds.related_lists(len(ids), build=1)],
        records=Records.of(priced),
        lists_key="l",
        recipe_digest="d",
    )
    changed = {"price_minor": 899, "stock": {"Köln": 3}}
    ItemChanges(store, "acme").update({"id": item, **changed} for item in HOSTILE)
    for item in ids.ids:
        expected = {
            "id": item,
            "title": f'"{item}" & 50 % 🍒',
            "price_minor": 999,
            "in_stock": True,
        }
        assert record(reader, socket, item) == expected | (changed if item in HOSTILE else {})


def test_a_record_that_is_not_there_fails(reader: str, socket: Path, store: Redis) -> None:
    point(store, Pointer(8, View((8,), ("related",))))
    assert read(reader, socket, "a", "record").returncode != 0
