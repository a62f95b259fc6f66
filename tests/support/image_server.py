"""A web server of pictures on this machine, which also answers as bad servers do."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class ImageServer:
    """Answers `files` by path, with status and headers; counts requests.

    A path that ends in `/slow` sends half of a body and waits, one in `/endless` never ends.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.requests = Counter[str]()
        self.ended = threading.Event()
        self.url = ""

    def put(self, path: str, body: bytes, kind: str = "image/png") -> str:
        """Serve a file, and return its URL."""
        return self.answer(path, 200, {"Content-Type": kind}, body)

    def redirect(self, path: str, target: str) -> str:
        """Redirect a path, and return its URL."""
        return self.answer(path, 302, {"Location": target})

    def answer(self, path: str, status: int, headers: dict[str, str], body: bytes = b"") -> str:
        """Serve an answer, and return its URL."""
        self.files[path] = status, {"Content-Length": str(len(body))} | headers, body
        return self.url + path


@contextmanager
def image_server() -> Iterator[ImageServer]:
    """Serve on loopback until the context ends."""
    served = ImageServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            served.requests[path] += 1
            if path.endswith("/endless"):
                self.send_response(200)
                self.end_headers()
                while not served.ended.is_set():
                    self.wfile.write(b"x" * 65_536)
                return
            status, headers, body = served.files.get(path, (404, {"Content-Length": "0"}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if path.endswith("/slow"):
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                served.ended.wait(60)
            else:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that hangs up
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            served.ended.set()
            server.shutdown()
            thread.join()
