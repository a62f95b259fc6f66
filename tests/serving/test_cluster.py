"""A Cluster of one fake node that may reply anything; tests/topologies has real ones."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import pytest

from recommender.serving import codec
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.codec import Pointer, View
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving.test_reader import GARBAGE

KEYS = Keys("acme")
POINTER = codec.encode_pointer(Pointer(1, View((1,), ("related",))))
BEST_SELLERS = codec.encode_list(codec.BEST_SELLERS, ["p"], [0.5], [3])


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def reply_to(message: bytes, port: int, garbage: bytes) -> bytes:
    """What a healthy node replies, except to the GET of a list."""
    if b"SLOTS" in message:
        return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n" + bulk(b"127.0.0.1") + b":%d\r\n" % port
    if b"MGET" in message:
        return b"*3\r\n" + bulk(POINTER) + b"$-1\r\n$-1\r\n"
    if b"ZRANGEBYSCORE" in message:
        return b"*0\r\n"
    if KEYS.related_list(1, "related", "").encode() + b"\r\n" in message:
        return bulk(BEST_SELLERS) + b"$-1\r\n"  # and no storefront
    return garbage if b"GET" in message else b"+OK\r\n" * message.count(b"CLIENT")


@contextmanager
def one_node(garbage: bytes) -> Iterator[str]:
    """Play a node that replies `garbage` to the GET of a list; yields the URL of its Cluster."""

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            while message := client.recv(65536):
                client.sendall(reply_to(message, port, garbage))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.enter_context(client)
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with ExitStack() as clients, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"redis+cluster://127.0.0.1:{port}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.fault(52)
@pytest.mark.parametrize("garbage", GARBAGE)
def test_any_reply_of_a_node_is_survived(garbage: bytes) -> None:
    async def ask(url: str) -> None:
        reader = AsyncRelatedItems(url, "acme", deadline_s=5.0)
        assert await reader.wait_ready()
        answer = await reader.get("a")
        assert (answer.status, answer.ids) == ("fallback", ("p",))
        await reader.aclose()

    with one_node(garbage) as url:
        with closing(RelatedItems(url, "acme", deadline_s=5.0)) as lookup:
            assert lookup.wait_ready()
            answer = lookup.get("a")
            assert (answer.status, answer.ids) == ("fallback", ("p",))
        asyncio.run(ask(url))


def test_a_list_of_the_node_is_answered() -> None:
    value = codec.encode_list("a", ["b"], [0.5], [0])
    with (
        one_node(bulk(value)) as url,
        closing(RelatedItems(url, "acme", deadline_s=5.0)) as lookup,
    ):
        assert lookup.wait_ready()
        assert (lookup.get("a").status, lookup.get("a").ids) == ("ok", ("b",))


@pytest.mark.fault(23)
def test_a_resolver_that_hangs_does_not_delay_the_exit() -> None:
    script = (
        "import socket, time\n"
        "socket.getaddrinfo = lambda *_, **__: time.sleep(600)\n"
        "from recommender.serving.lookup import RelatedItems\n"
        "lookup = RelatedItems('redis+cluster://nowhere.invalid', 'acme')\n"
        "print([lookup.get('a').status for _ in range(9)][-1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=120, text=True
    )
    assert done.stdout == "degraded\n"
