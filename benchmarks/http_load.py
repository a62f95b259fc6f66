"""The HTTP service compared with an empty route of FastAPI, in one process and in turn.

Requests come over kept connections of a client in another process that does next to nothing, so
that the servers are compared and not the client.
"""

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import uvicorn
from fastapi import APIRouter

from benchmarks.machine import Row
from recommender.service.app import create_app
from recommender.serving.aio import AsyncRelatedItems

CONNECTIONS = 8
ROUNDS = 6


def http_rows(url: str, shop: str, items: Sequence[str], seconds: float) -> list[Row]:
    """Requests a second of an empty route, of lists read from Redis, and of cached ones."""
    rng = np.random.default_rng(0)
    spread = [items[row] for row in rng.integers(0, len(items), 5_000).tolist()]
    requests = {
        "empty": [_request("/empty")],
        "read": [_request(f"/v1/read/items/{item}/related") for item in spread],
        "cached": [_request(f"/v1/cached/items/{item}/related") for item in spread[:100]],
    }
    served: dict[str, list[float]] = {name: [] for name in requests}
    with _serving(url, shop) as port:
        for wanted in requests.values():
            _rate(port, wanted, 0.2)
        for _ in range(ROUNDS):
            for name, wanted in requests.items():
                served[name].append(_rate(port, wanted, seconds / ROUNDS))
    rate = {name: float(np.median(rates)) for name, rates in served.items()}
    empty = "compared with an empty FastAPI route"
    return [
        Row(f"HTTP, a list read from Redis, {empty}", rate["read"], "requests/s", rate["empty"]),
        Row(f"HTTP, a list of the cache, {empty}", rate["cached"], "requests/s", rate["empty"]),
    ]


@contextmanager
def _serving(url: str, shop: str) -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = context.Process(target=serve, args=(url, shop, listener), daemon=True)
        server.start()
        port = listener.getsockname()[1]
        try:
            _rate(port, [_request("/healthz")], 0.01)
            yield port
        finally:
            server.terminate()
            server.join()


def serve(url: str, shop: str, listener: socket.socket) -> None:
    """The service with an empty route next to its own; `read` caches one list."""
    app = create_app(
        {
            "read": AsyncRelatedItems(url, shop, deadline_s=5.0, cache_items=1),
            "cached": AsyncRelatedItems(url, shop, deadline_s=5.0),
        }
    )

    # The router of the app would make this a DirectRoute, as the service's own routes are.
    router = APIRouter()
    router.add_api_route("/empty", empty, response_model=None)
    app.include_router(router)
    config = uvicorn.Config(app, access_log=False, log_config=None, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


async def empty() -> dict[str, str]:
    """The least that a route can do."""
    return {}


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode()


def _rate(port: int, requests: list[bytes], seconds: float) -> float:
    """Answers a second. Raises: RuntimeError for an answer that is not 200."""
    with selectors.DefaultSelector() as ready:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
            ready.register(connection, selectors.EVENT_READ)
            connection.sendall(requests[0])
        answered = 0
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            for key, _ in ready.select(timeout=20):
                connection = key.fileobj  # type: ignore[assignment]
                _take_answer(connection)
                answered += 1
                connection.sendall(requests[answered % len(requests)])
        took = time.perf_counter() - began
        for key in list(ready.get_map().values()):
            _take_answer(key.fileobj)  # type: ignore[arg-type]
            key.fileobj.close()  # type: ignore[union-attr]
    return answered / took


def _take_answer(connection: socket.socket) -> None:
    answer = connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"benchmark request failed: {answer[:200]!r}")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    left = size - len(body)
    while left > 0:
        left -= len(connection.recv(65536))
