"""Servers that are gone: refused, silent, or cutting replies. Each yields its port."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refused() -> Iterator[int]:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def black_hole() -> Iterator[int]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server.getsockname()[1]


@contextmanager
def resetting() -> Iterator[int]:
    """A server that breaks off after the first bytes of a reply."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        ended = threading.Event()

        def serve() -> None:
            server.settimeout(0.1)
            while not ended.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                client.recv(4096)
                client.send(b"$100\r\nhalf")
                client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        ended.set()
        thread.join()
