import logging
import os
import random
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from recommender.serving.fallbacks import FAILURES, write_snapshot
from recommender.serving.lookup import RelatedItems
from recommender.serving.queries import checked_query
from recommender.serving.state import MAX_SHOWN
from tests.serving import servers
from tests.serving.test_lookup import LISTS, Shelf, within
from tests.serving.waiting import waits_of
from tests.support.fault_report import Recovery

DEADLINE_S = 0.1
MARGIN_S = 2.0
"""For a machine that does other things too."""

Answering = Callable[[socket.socket, bytes, bytes], None]
"""Is given the connection, the command that came, and the true reply to it."""


def whole(connection: socket.socket, command: bytes, reply: bytes) -> None:
    connection.sendall(reply)


@contextmanager
def proxy(path: str, answering: Answering, *, handshake_s: float = 0.0) -> Iterator[str]:
    """Stand before a server on a unix socket; what it replies goes through `answering`.

    The first reply on each connection comes `handshake_s` late.

    The handshake and what the poller reads, control keys and best sellers, pass as they are.
    """

    def serve(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(path)
            time.sleep(handshake_s)
            while command := client.recv(65536):
                server.sendall(command)
                reply = server.recv(2**20)
                asked = b"MGET" in command and b"rec:{" not in command
                control = not asked or command.endswith(b":\r\n")
                (whole if control else answering)(client, command, reply)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.enter_context(client)
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with ExitStack() as clients, socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def path(server_url: str) -> str:
    return server_url.removeprefix("unix://")


@pytest.fixture
def shelf(store: Redis, shop: str) -> Shelf:
    return Shelf(store, shop).put(1, LISTS).point(1, 1)


@contextmanager
def reading(url: str, shop: str, *, deadline_s: float = DEADLINE_S) -> Iterator[RelatedItems]:
    """A lookup without a cache that has polled, as a process has that runs for a while."""
    with closing(RelatedItems(url, shop, deadline_s=deadline_s, cache_items=0)) as reader:
        within(5, lambda: reader.get("\x00").generation == 1)
        yield reader


def timed(ask: Callable[[], object]) -> float:
    began = time.monotonic()
    ask()
    return time.monotonic() - began


# The store cannot be reached


@pytest.mark.fault(22)
def test_a_refused_port_is_degraded_at_once(
    refused_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"redis://:S3CR3T@127.0.0.1:{refused_port}"
    with (
        caplog.at_level(logging.WARNING, logger="recommender"),
        closing(RelatedItems(url, "acme")) as reader,
        waits_of(reader) as waits,
    ):
        took = [timed(lambda: reader.get("a")) for _ in range(200)]
        assert reader.get("a").status == "degraded"
        assert max(took) < DEADLINE_S + MARGIN_S
        assert len(waits) <= FAILURES
        assert reader.stats()["breaker_open"] == 1
    assert 1 <= len(caplog.records) <= 3
    assert "shop=acme" in caplog.text
    assert "S3CR3T" not in caplog.text


@pytest.mark.fault(20)
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_server_that_never_answers_costs_the_deadline_five_times(family: str) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as sockets:
        if family == "tcp":
            silent = sockets.enter_context(socket.create_server(("127.0.0.1", 0)))
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        else:
            silent = sockets.enter_context(socket.socket(socket.AF_UNIX))
            silent.bind(f"{folder}/s.sock")
            silent.listen(1)
            url = f"unix://{folder}/s.sock"
        with (
            closing(RelatedItems(url, "acme", deadline_s=0.05)) as reader,
            waits_of(reader) as waits,
        ):
            took = [timed(lambda: reader.get("a")) for _ in range(50)]
            assert took[0] > 0.04
            assert max(took) < 0.05 + MARGIN_S
            assert len(waits) <= FAILURES
            assert reader.get("a").status == "degraded"


def test_the_first_question_waits_for_the_first_poll(path: str, shelf: Shelf) -> None:
    with closing(RelatedItems(f"unix://{path}", shelf.shop, deadline_s=5.0)) as reader:
        assert reader.get("a").status == "ok"


def test_a_lookup_that_is_waited_for_answers_its_first_question(path: str, shelf: Shelf) -> None:
    with proxy(path, whole, handshake_s=0.3) as url:
        with closing(RelatedItems(url, shelf.shop, deadline_s=0.05)) as hasty:
            assert hasty.get("a").status == "degraded"
        with closing(RelatedItems(url, shelf.shop, deadline_s=0.05)) as patient:
            assert not patient.wait_ready(0.05)
            assert patient.wait_ready()
            assert patient.get("a").status == "ok"
            with waits_of(patient) as waits:
                assert patient.wait_ready()
            assert waits == []


def test_waiting_for_a_server_that_is_away_ends(refused_port: int) -> None:
    with closing(RelatedItems(f"redis://127.0.0.1:{refused_port}", "acme")) as reader:
        began = time.monotonic()
        assert not reader.wait_ready(0.7)
        assert 0.6 < time.monotonic() - began < 20 * 0.7
        assert reader.stats()["breaker_opened"] == 0
        reader.close()
        with waits_of(reader) as waits:
            assert not reader.wait_ready()
        assert waits == []


def test_a_server_that_starts_late_is_waited_for(tmp_path: Path) -> None:
    binary = servers.binary_of("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        url = f"unix://{folder}/s.sock"
        with closing(RelatedItems(url, "acme")) as reader, ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(reader.wait_ready, 20.0)
            assert reader.get("a").status == "degraded"
            with servers.running(binary, Path(folder, "s.sock")):
                assert waiting.result()


# Replies that break


def silence(connection: socket.socket, command: bytes, reply: bytes) -> None:
    time.sleep(2)


def reset(connection: socket.socket, command: bytes, reply: bytes) -> None:
    connection.sendall(reply[: len(reply) // 2])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def dribble(connection: socket.socket, command: bytes, reply: bytes) -> None:
    for place in range(len(reply)):
        connection.sendall(reply[place : place + 1])
        time.sleep(0.02)


@pytest.mark.fault(20, 21)
@pytest.mark.parametrize("answering", [silence, reset, dribble])
def test_a_reply_that_breaks_is_replaced_before_the_deadline(
    path: str, shelf: Shelf, answering: Answering
) -> None:
    with proxy(path, answering) as url, reading(url, shelf.shop) as reader:
        for _ in range(3):
            began = time.monotonic()
            answer = reader.get("a")
            took = time.monotonic() - began
            assert (answer.status, answer.ids[0]) == ("fallback", "p")
            assert took < DEADLINE_S + MARGIN_S
            if answering is not reset:
                assert took > DEADLINE_S - 0.01


@pytest.mark.fault(21)
def test_a_reply_cut_at_any_byte_is_replaced(path: str, shelf: Shelf) -> None:
    cut = 0

    def cutting(connection: socket.socket, command: bytes, reply: bytes) -> None:
        connection.sendall(reply[:cut])
        if cut < len(reply):
            connection.close()

    shelf.put(1, {"long": " ".join(f"item-{number}:t" for number in range(40))})
    with proxy(path, cutting) as url, reading(url, shelf.shop, deadline_s=2.0) as reader:
        for size in range(300):
            cut = size
            answer = reader.get("long")
            assert (answer.status, answer.ids[0]) == ("fallback", "p")
            within(5, lambda: not reader.stats()["breaker_open"])
            cut = 2**20
            assert reader.get("a").status == "ok"


GARBAGE = [
    b"+OK\r\n",
    b":1\r\n",
    b"$3\r\nabc\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$-7\r\n",
    b"*1\r\n$99999999999999999999\r\n",
    b"*99999999\r\n",
    b"*2\r\n$-1\r\n$-1\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*1\r\n*1\r\n$1\r\na\r\n",
    b"*1\r\n" * 10**4,
    b"*1\r\n$-1\r\n*1\r\n$-1\r\n",
    b"_\r\n",
    b"%1\r\n+a\r\n+b\r\n",
    b">2\r\n+invalidate\r\n+b\r\n",
    b"-LOADING\r\n",
    b"-NOAUTH\r\n",
    b"-MOVED 1 host:1\r\n",
    b"-CLUSTERDOWN Hash slot not served\r\n",
    b"-\xff\r\n",
    b"\x00\xff garbage \r\n" * 100,
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"x" * 10**5,
]


@pytest.mark.fault(52)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_any_reply_is_survived(path: str, shelf: Shelf, garbage: bytes) -> None:
    def answering(connection: socket.socket, command: bytes, reply: bytes) -> None:
        connection.sendall(garbage)

    with proxy(path, answering) as url, reading(url, shelf.shop) as reader:
        assert (reader.get("a").status, reader.get("a").ids[0]) == ("fallback", "p")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(garbage=st.binary(max_size=60) | st.binary(max_size=20).map(lambda tail: b"*1\r\n$" + tail))
def test_any_bytes_for_a_reply_are_survived(path: str, shelf: Shelf, garbage: bytes) -> None:
    def answering(connection: socket.socket, command: bytes, reply: bytes) -> None:
        connection.sendall(garbage)
        connection.close()

    with proxy(path, answering) as url, reading(url, shelf.shop) as reader:
        assert reader.get("a").status == "fallback"


@pytest.mark.fault(21, 24, 25)
def test_an_answer_to_another_question_is_not_shown(path: str, shelf: Shelf) -> None:
    crossed = shelf.store.get(shelf.keys.related_list(1, "related", "f"))
    assert isinstance(crossed, bytes)

    def answering(connection: socket.socket, command: bytes, reply: bytes) -> None:
        connection.sendall(b"*1\r\n$%d\r\n%b\r\n" % (len(crossed), crossed))

    with proxy(path, answering) as url, reading(url, shelf.shop) as reader:
        assert (reader.get("a").status, reader.get("a").ids[0]) == ("fallback", "p")
        assert reader.get("f").status == "topped_up"


def test_connections_that_the_server_ended_are_replaced_unseen(
    path: str, shelf: Shelf, store: Redis
) -> None:
    with reading(f"unix://{path}", shelf.shop, deadline_s=5.0) as reader:
        for _ in range(5):
            assert reader.get("a").status == "ok"
            store.client_kill_filter(_type="normal", skipme=True)
            assert reader.get("a").status == "ok"
        assert "read_failures" not in reader.stats()


def test_late_replies_reach_nobody_else(path: str, shelf: Shelf) -> None:
    """A connection whose deadline passed is never used again, or its reply would be another's."""
    shelf.put(1, {f"i{row}": f"of-{row}:t" for row in range(300)})

    def late(connection: socket.socket, command: bytes, reply: bytes) -> None:
        time.sleep(0.06 if hash(command) % 3 == 0 else 0)
        connection.sendall(reply)

    with proxy(path, late) as url, reading(url, shelf.shop, deadline_s=0.04) as reader:

        def ask(row: int) -> bool:
            answer = reader.get(f"i{row}")
            return answer.status != "ok" or answer.ids == (f"of-{row}",)

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(ask, range(300)))
        assert reader.stats()["read_failures"] > 0


def test_connections_grow_with_the_questions_at_once(path: str, shelf: Shelf) -> None:
    def slow(connection: socket.socket, command: bytes, reply: bytes) -> None:
        time.sleep(0.4)
        connection.sendall(reply)

    with (
        proxy(path, slow) as url,
        reading(url, shelf.shop, deadline_s=1.5) as reader,
        ThreadPoolExecutor(12) as threads,
    ):
        answers = list(threads.map(lambda _: reader.get("a"), range(12)))
        assert {answer.status for answer in answers} == {"ok"}


def test_after_a_pause_of_the_process_a_question_polls_at_once(path: str, shelf: Shelf) -> None:
    with reading(f"unix://{path}", shelf.shop, deadline_s=5.0) as reader:
        core = reader._reader().core

        for _ in range(5):
            core.confirm(core.state, time.monotonic() - 60)
            polls = reader.stats()["polls"]
            # It waits for one poll, and not for the next one that is due.
            assert reader.get("a").status == "ok"
            assert reader.stats()["polls"] == polls + 1


@pytest.mark.fault(19)
@pytest.mark.parametrize("latency_s", [0.005, 0.02, 0.1, 1.0])
def test_a_slow_server_costs_no_more_than_the_deadline(
    path: str, shelf: Shelf, latency_s: float
) -> None:
    jitter = random.Random(19)
    deadline_s = 0.05 if latency_s >= 0.02 else 2.0

    def slow(connection: socket.socket, command: bytes, reply: bytes) -> None:
        time.sleep(latency_s * jitter.uniform(0.8, 1.2))
        connection.sendall(reply)

    with (
        proxy(path, slow) as url,
        reading(url, shelf.shop, deadline_s=deadline_s) as reader,
        waits_of(reader) as waits,
    ):
        took: list[float] = []
        for _ in range(1000 if latency_s >= 0.1 else 150):
            was_open, before = reader.stats()["breaker_open"], len(waits)
            began = time.monotonic()
            answer = reader.get("a")
            took.append(time.monotonic() - began)
            # A probe may close the breaker in between.
            if was_open and reader.stats()["breaker_open"]:
                assert len(waits) == before
            assert answer.status in ({"ok"} if latency_s < 0.02 else {"ok", "fallback"})
        assert max(took) < deadline_s + MARGIN_S


@pytest.mark.fault(23)
def test_a_name_that_is_never_resolved_costs_the_deadline(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """redis-py would wait for it on the request path, and then for every address in turn."""
    hung = threading.Event()

    def hang(*_: object, **__: object) -> NoReturn:
        hung.wait(20)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        with (
            closing(RelatedItems("redis://nowhere.invalid:6379", "acme")) as reader,
            waits_of(reader) as waits,
        ):
            took = [timed(lambda: reader.get("a")) for _ in range(100)]
            assert reader.get("a").status == "degraded"
            assert max(took) < 0.05 + MARGIN_S
            assert len(waits) <= FAILURES
            hung.set()
    finally:
        hung.set()


@pytest.mark.fault(23)
def test_of_many_addresses_none_is_tried_on_the_request_path(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, refused_port: int
) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", refused_port))

    def many(*_: object, **__: object) -> list[object]:
        time.sleep(0.2)
        return [address] * 16

    monkeypatch.setattr(socket, "getaddrinfo", many)
    with closing(RelatedItems("redis://shop.invalid:6379", "acme")) as reader:
        took = [timed(lambda: reader.get("a")) for _ in range(100)]
        assert max(took) < 0.05 + MARGIN_S
        assert reader.get("a").status == "degraded"


# The breaker


@pytest.mark.fault("S18")
def test_many_threads_do_not_storm_a_server_that_is_down() -> None:
    connects: list[float] = []
    ended = threading.Event()

    def refuse(listener: socket.socket) -> None:
        listener.settimeout(0.05)
        while not ended.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                connects.append(time.monotonic())
                client.close()

    with (
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
        closing(RelatedItems(f"redis://127.0.0.1:{listener.getsockname()[1]}", "acme")) as reader,
        ThreadPoolExecutor(65) as threads,
    ):
        threads.submit(refuse, listener)
        within(20, lambda: bool(reader.get("a") and reader.stats()["breaker_open"]))
        until = time.monotonic() + 4
        since = time.monotonic()

        def storm(_: int) -> int:
            asked = 0
            while time.monotonic() < until:
                assert reader.get("a").status == "degraded"
                asked += 1
            return asked

        asked = sum(threads.map(storm, range(64)))
        ended.set()
    assert asked > 10_000
    assert sum(since <= at <= until for at in connects) <= 2 * 4


@pytest.mark.fault(20, 22, "S18")
def test_the_breaker_opens_spares_the_server_and_closes_again(
    path: str, shelf: Shelf, recovery: Recovery
) -> None:
    broken = threading.Event()
    broken.set()
    asked = 0

    def answering(connection: socket.socket, command: bytes, reply: bytes) -> None:
        nonlocal asked
        asked += 1
        if broken.is_set():
            connection.close()
        else:
            connection.sendall(reply)

    with proxy(path, answering) as url, reading(url, shelf.shop) as reader:
        answers = [reader.get("a") for _ in range(5)]
        assert {answer.status for answer in answers} == {"fallback"}
        assert reader.stats()["breaker_opened"] == 1
        with waits_of(reader) as waits:
            for _ in range(100):
                reader.get("a")
        assert (asked, waits) == (5, [])
        broken.clear()
        with recovery():
            within(5, lambda: reader.get("a").status == "ok")
        assert not reader.stats()["breaker_open"]


def test_a_server_that_dies_leaves_stale_copies_and_is_found_again(tmp_path: Path) -> None:
    binary = servers.binary_of("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        url = f"unix://{folder}/s.sock"
        with closing(RelatedItems(url, "acme", deadline_s=0.5)) as reader:
            assert reader.get("a").status == "degraded"
            for fence in (1, 2):
                with servers.running(binary, Path(folder, "s.sock")):
                    store = servers.emptied(url)
                    Shelf(store, "acme").put(fence, LISTS).point(fence, fence)
                    store.close()
                    within(5, lambda fence=fence: reader.get("a").generation == fence)  # type: ignore[misc]
                    assert reader.get("a").status == "ok"
                within(5, lambda: reader.get("a").status == "stale")
                assert reader.get("a").ids == ("b", "c", "d", "e")
                assert reader.get("f").status == "fallback"
                assert reader.for_items(["a", "f"]).status == "stale"


# Snapshots


def test_a_snapshot_answers_where_redis_never_did(
    store: Redis, shelf: Shelf, refused_port: int, tmp_path: Path
) -> None:
    path = snapshot_of(shelf, tmp_path, hidden=["c"])
    url = f"redis://127.0.0.1:{refused_port}"
    with closing(RelatedItems(url, shelf.shop, snapshot=path)) as reader:
        answer = reader.get("a")
        assert (answer.status, answer.ids, answer.generation) == ("stale", ("b", "d", "e"), 1)
        assert (reader.get("x").status, reader.get("x").ids[0]) == ("fallback", "p")
        assert reader.get("a", "elsewhere").status == "degraded"
        assert reader.for_items(["a", "f"]).ids[0] == "b"


def test_a_snapshot_answers_from_many_threads(
    shelf: Shelf, refused_port: int, tmp_path: Path
) -> None:
    path = snapshot_of(shelf, tmp_path)
    url = f"redis://127.0.0.1:{refused_port}"
    with (
        closing(RelatedItems(url, shelf.shop, snapshot=str(path))) as reader,
        ThreadPoolExecutor(16) as threads,
    ):
        answers = list(threads.map(lambda _: reader.get("a"), range(500)))
        assert {(answer.status, answer.ids) for answer in answers} == {
            ("stale", ("b", "c", "d", "e"))
        }


@pytest.mark.parametrize(
    "content", [None, b"", b"no database", b"SQLite format 3\x00" + b"\xff" * 99]
)
def test_a_snapshot_that_cannot_be_read_is_done_without(
    path: str, shelf: Shelf, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "lists.db"
    if content is not None:
        file.write_bytes(content)
    with closing(RelatedItems(f"unix://{path}", shelf.shop, deadline_s=5, snapshot=file)) as reader:
        assert reader.get("a").status == "ok"


def test_a_snapshot_is_replaced_as_a_whole(shelf: Shelf, tmp_path: Path) -> None:
    path = snapshot_of(shelf, tmp_path)
    before = path.read_bytes()

    def failing() -> Iterator[tuple[str, bytes]]:
        yield "key", b"value"
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        write_snapshot(path, b"{}", failing())
    assert path.read_bytes() == before


def snapshot_of(shelf: Shelf, folder: Path, hidden: list[str] | None = None) -> Path:
    path = folder / "lists.db"
    names = [shelf.keys.related_list(1, "related", item) for item in LISTS]
    values = [shelf.store.get(name) for name in names]
    pairs = [
        (name, value) for name, value in zip(names, values, strict=True) if isinstance(value, bytes)
    ]
    pointer = shelf.store.get(shelf.keys.live)
    assert isinstance(pointer, bytes)
    write_snapshot(path, pointer, pairs, hidden=hidden or [])
    return path


# Forks


@pytest.mark.fault(25)
def test_a_fork_after_use_crosses_no_answers(path: str, shelf: Shelf) -> None:
    shelf.put(1, {f"i{row}": f"of-{row}:t" for row in range(100)})

    def wrong(reader: RelatedItems) -> int:
        rows = [row % 100 for row in range(1000)]
        return sum(reader.get(f"i{row}").ids != (f"of-{row}",) for row in rows)

    url = f"unix://{path}"
    with closing(RelatedItems(url, shelf.shop, deadline_s=5.0, cache_items=10)) as reader:
        assert wrong(reader) == 0
        children = []
        for _ in range(8):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = int(wrong(reader) > 0)
                finally:
                    os._exit(code)
            children.append(child)
        assert wrong(reader) == 0
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
        assert wrong(reader) == 0


@pytest.mark.fault(42, "S4")
def test_n_is_at_most_a_thousand() -> None:
    for asked, n in ((10**9, MAX_SHOWN), (MAX_SHOWN, MAX_SHOWN), (-1, 0)):
        assert checked_query("related", asked, (), min_score=0.0, key="").n == n


# What this process did


@pytest.mark.fault(68)
def test_threads_that_ask_before_it_is_connected_open_no_breaker(path: str, shelf: Shelf) -> None:
    with (
        proxy(path, whole, handshake_s=0.4) as url,
        closing(RelatedItems(url, shelf.shop, deadline_s=0.05)) as reader,
        ThreadPoolExecutor(16) as threads,
    ):

        def ask(_: int) -> str:
            until = time.monotonic() + 20
            while (status := reader.get("a").status) != "ok" and time.monotonic() < until:
                time.sleep(0.02)
            return status

        assert set(threads.map(ask, range(16))) == {"ok"}
        assert reader.stats()["breaker_opened"] == 0


# Junk in one key


@pytest.mark.fault(71)
def test_a_list_of_60_mb_takes_no_other_list_with_it(server_url: str, shelf: Shelf) -> None:
    key = shelf.keys.related_list(1, "related", "a")
    shelf.store.setrange(key, 60 * 2**20, b"x")
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0, cache_items=0)) as reader:
        for _ in range(2 * FAILURES):
            asked = reader.get_many(["f", "a"])
            assert [answer.status for answer in asked] == ["topped_up", "fallback"]
        reads = reader.stats()["reads"]
        assert reader.get("a").status == "fallback"
        assert reader.stats()["reads"] == reads
        assert reader.stats()["breaker_opened"] == 0
        shelf.put(1, {"a": "new:t"}).point(2, 1)
        within(5, lambda: reader.get("a").status == "ok")


@pytest.mark.fault(71)
def test_best_sellers_of_60_mb_leave_the_lists(server_url: str, shelf: Shelf) -> None:
    shelf.store.setrange(shelf.keys.related_list(1, "related", ""), 60 * 2**20, b"x")
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        assert reader.get("a").status == "ok"
        assert (reader.get("x").status, reader.get("x").items) == ("unknown_item", ())


@pytest.mark.fault(61)
def test_hidden_items_of_another_type_leave_the_lists(
    server_url: str, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.store.set(shelf.keys.hidden, "junk")
    shelf.store.set(shelf.keys.hidden_version, "9" * 5000)
    with closing(RelatedItems(server_url, shelf.shop, deadline_s=5.0)) as reader:
        assert reader.get("a").status == "ok"
        within(5, lambda: reader.stats()["polls"] >= 4)
        assert caplog.text.count("hidden_unreadable") == 1
        assert "delete the key" in caplog.text
        shelf.store.delete(shelf.keys.hidden)
        shelf.hide(1, "+b")
        within(5, lambda: reader.get("a").ids == ("c", "d", "e"))
        assert reader.stats()["breaker_opened"] == 0
