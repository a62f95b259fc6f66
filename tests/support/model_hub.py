"""A server on loopback that answers as the model hub does."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "modules.json": json.dumps(
        [{"idx": 0, "type": "sentence_transformers.models.Transformer", "path": ""}]
    ).encode(),
    "config.json": b"{}",
    "model.safetensors": b"weights of a model",
    "pytorch_model.bin": b"a pickle that must not be fetched",
    "modeling.py": b"raise RuntimeError('code of the model ran')",
}


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """One repository, `shop/encoder`."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        name = path.rpartition(f"/resolve/{COMMIT}/")[2]
        if path.startswith("/api/models/shop/encoder/revision/"):
            siblings = [{"rfilename": name} for name in FILES]
            model = {"id": "shop/encoder", "sha": COMMIT, "siblings": siblings}
            self._answer(json.dumps(model).encode(), {})
        elif path == f"/api/models/shop/encoder/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": _sha1(content)}
                for name, content in FILES.items()
            ]
            self._answer(json.dumps(tree).encode(), {})
        elif path.startswith("/shop/encoder/resolve/") and name in FILES:
            headers = {"ETag": f'"{_sha1(FILES[name])}"', "X-Repo-Commit": COMMIT}
            self._answer(FILES[name], headers)
        else:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _answer(self, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running() -> Iterator[tuple[str, list[str]]]:
    """A hub with one repository; yields its URL and the paths that were asked for."""
    asked: list[str] = []
    handler = type("ThisHub", (Hub,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()
