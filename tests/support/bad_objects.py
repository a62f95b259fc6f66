"""A door to an S3 server that fails as real ones do: busy, slow, cut off, late in its lists."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

BUSY = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass
class Door:
    """What goes wrong with the request of a number, counted from 0: `ok`, `busy`, `cut`, `slow`."""

    behind: str
    fault: Callable[[int], str] = field(default=lambda _: "ok")
    url: str = ""
    asked: int = 0
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> str:
        with self.lock:
            fault = self.fault(self.asked)
            self.asked += 1
            self.failed += fault != "ok"
            return fault


class Handler(BaseHTTPRequestHandler):
    """Passes a request on, unless its turn is a bad one."""

    door: ClassVar[Door]
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self._body()
        fault = self.door.next_fault()
        if fault == "slow":
            time.sleep(1.0)
        if fault == "busy":
            self._answer(503, [("Content-Type", "application/xml")], BUSY, len(BUSY))
            return
        found = http.client.HTTPConnection(urlsplit(self.door.behind).netloc, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP | {"expect"}}
        found.request(self.command, self.path, body, headers)
        answer = found.getresponse()
        content = answer.read()
        kept = [pair for pair in answer.getheaders() if pair[0].lower() not in HOP]
        length = int(answer.getheader("content-length") or len(content))
        if fault == "cut":
            content = content[: len(content) // 2]
            self.close_connection = True
        self._answer(answer.status, kept, content, length)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, length: int
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def door_to(behind: str) -> Iterator[Door]:
    """A door on a free port of the loopback, open while the block runs."""
    door = Door(behind)
    handler = type("Bound", (Handler,), {"door": door})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        door.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield door
        finally:
            server.shutdown()
            thread.join()
