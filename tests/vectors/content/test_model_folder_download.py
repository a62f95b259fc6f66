"""Downloading a model, against a local server that answers as the hub does."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

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


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("ThisHub", (Hub,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


FETCH = """
from pathlib import Path
from recommender.vectors.content import model_folder
folder = model_folder.find({model!r}, "main", download={download})
model_folder.check(folder)
print(folder)
"""


def fetch(hub_url: str, home: Path, model: str, *, download: bool) -> tuple[int, str, str]:
    environment = os.environ | {
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    environment.pop("HF_HUB_OFFLINE", None)
    code = FETCH.format(model=model, download=download)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip(), done.stderr


def test_only_safe_files_are_fetched_and_only_when_asked(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = hub
    code, _, said = fetch(url, tmp_path, "shop/encoder", download=False)
    assert code != 0
    assert "is not on this machine" in said
    assert asked == []
    code, folder, said = fetch(url, tmp_path, "shop/encoder", download=True)
    assert code == 0, said
    fetched = {path.name for path in Path(folder).iterdir()}
    assert fetched == {"modules.json", "config.json", "model.safetensors"}
    assert (Path(folder) / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    asked.clear()
    code, again, said = fetch(url, tmp_path, "shop/encoder", download=False)
    assert (code, again) == (0, folder), said
    assert asked == []


def test_unknown_model_is_told(hub: tuple[str, list[str]], tmp_path: Path) -> None:
    code, _, said = fetch(hub[0], tmp_path, "shop/other", download=True)
    assert code != 0
    assert "ConfigError: text model 'shop/other' cannot be fetched" in said
