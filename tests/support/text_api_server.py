"""A text API on loopback that does what a script says, and counts what it was sent and paid."""

import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from recommender.core.telemetry import silent
from recommender.vectors.content.static import HashingEncoder

DIMENSIONS = 64

Reply = Callable[["Handler", dict[str, Any]], None]
"""Answers one request; `whole` is what a server should do."""


@dataclass
class TextServer:
    """What a server was asked; `script` has a reply for request 1, 2, ..., else `reply`."""

    url: str = ""
    reply: Reply = lambda handler, answer: handler.whole(answer)
    script: dict[int, Reply] = field(default_factory=dict)
    dimensions: int = DIMENSIONS
    requests: int = 0
    received: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    at_once: int = 0
    most_at_once: int = 0
    on_request: Callable[[int], None] = lambda number: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def sent_twice(self) -> list[str]:
        """Texts that arrived more than once, in whatever request."""
        return [text for text, times in self.received.items() if times > 1]


class Handler(BaseHTTPRequestHandler):
    server_state: TextServer

    def do_POST(self) -> None:
        state = self.server_state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with state.lock:
            state.requests += 1
            number = state.requests
            state.received.update(body["input"])
            state.bodies.append(body)
            state.keys.add(self.headers.get("Authorization", ""))
            state.at_once += 1
            state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            state.on_request(number)
            with suppress(OSError):
                state.script.get(number, state.reply)(self, answer_to(body, state.dimensions))
        finally:
            with state.lock:
                state.at_once -= 1

    def whole(self, answer: object) -> None:
        self.send(200, json.dumps(answer).encode())

    def send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def answer_to(body: dict[str, Any], dimensions: int) -> dict[str, Any]:
    texts = body["input"]
    vectors = HashingEncoder(body.get("dimensions", dimensions)).encode(texts, silent)
    return {
        "object": "list",
        "model": body["model"],
        "data": [
            {"object": "embedding", "index": index, "embedding": [float(x) for x in vector]}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": 2 * len(texts), "total_tokens": 2 * len(texts)},
    }


@contextmanager
def running(certificate: Path | None = None) -> Iterator[TextServer]:
    """A server on loopback; with a certificate, over TLS."""
    answer_to({"model": "", "input": ["loads what it needs"]}, DIMENSIONS)
    state = TextServer()
    handler = type("Scripted", (Handler,), {"server_state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
        state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            state.closing.set()
            server.shutdown()
            thread.join()
