"""Files behind URLs: a web server on loopback, and fsspec's memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.readers import remote
from recommender.readers.fetching import Copies, Origin
from recommender.readers.remote import RemoteFiles
from recommender.readers.shop_source import input_digests
from recommender.readers.sources import InteractionSource
from tests.readers.shop_folder import Folder, sold

ORDERS = b"item_id,order_id\na,1\nb,1\n"


class Shop(BaseHTTPRequestHandler):
    """Serves orders.csv with an ETag; gone.csv, private.csv, cut.csv, slow.csv and endless.csv."""

    content = ORDERS
    asked: tuple[str, ...] = ()
    waiting = threading.Event()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        name = self.path.partition("?")[0].strip("/")
        type(self).asked += (f"{self.command} {name}",)
        statuses = {"gone.csv": 404, "private.csv": 403, "broken.csv": 500}
        if name == "slow.csv":
            self.waiting.wait(20)
        self.send_response(statuses.get(name, 200))
        missing = 10 if name == "cut.csv" else 0
        self.send_header("Content-Length", str(len(self.content) + missing))
        if name != "plain.csv":
            self.send_header("ETag", f'"{hash(self.content)}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    Shop.content, Shop.asked, Shop.waiting = ORDERS, (), threading.Event()
    with serving() as url:
        yield url


@contextmanager
def serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            Shop.waiting.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    yield memory
    memory.store.clear()


def source(folder: Folder, url: str, **settings: str) -> InteractionSource:
    return InteractionSource(url, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["orders.csv", "plain.csv"])
def test_a_file_is_read_again_only_where_it_changed(folder: Folder, web: str, name: str) -> None:
    shop = folder.source(interactions=source(folder, f"{web}/{name}?token=S3CR3T"))
    first = input_digests(shop)
    (file,) = shop.all_files()
    assert (file.shown, file.format) == (f"{web}/{name}", "csv")
    assert input_digests(shop) == first
    assert Shop.asked.count(f"GET {name}") == (1 if name == "orders.csv" else 2)
    Shop.content = ORDERS + b"c,1\n"
    assert input_digests(shop) != first


def test_a_file_is_read_as_a_local_one(folder: Folder, web: str) -> None:
    data = folder.read(interactions=source(folder, f"{web}/export?day=1", format="csv"))
    assert sold(data) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("gone.csv", ConfigError, r"interactions\.path: http://127\.0\.0\.1:\d+/gone.csv: no such"),
        ("private.csv", ConfigError, "access is refused; check the credentials"),
        ("broken.csv", DataError, "cannot be read: ClientResponseError: 500, .*; check the netw"),
        ("cut.csv", DataError, "cannot be read: ClientPayloadError|of 35 bytes arrived"),
        ("slow.csv", DataError, "cannot be read: .*[Tt]imeout.*; check the network"),
    ],
)
def test_what_cannot_be_read_is_named(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type, said: str
) -> None:
    monkeypatch.setattr(remote, "READ_S", 0.3)
    copies = Copies(tmp_path)
    with pytest.raises(error, match=said) as caught:
        copies.fetch(Origin("interactions", f"{web}/{name}?token=S3CR3T-xyz"))
    assert not list(tmp_path.glob("*/*"))
    assert "S3CR3T" not in str(caught.value)


def test_a_server_that_is_not_there_is_named(refused_port: int) -> None:
    url = f"http://user:S3CR3T-pw@127.0.0.1:{refused_port}/a.csv"
    with pytest.raises(DataError, match=r"http://\*\*\*@.*cannot be read: Client.*Error") as caught:
        RemoteFiles(url, "catalogue").files()
    assert "S3CR3T" not in str(caught.value)


def test_a_download_is_bounded(web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = RemoteFiles(f"{web}/orders.csv", "catalogue")
    (file,) = files.files()
    monkeypatch.setattr(remote, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="larger than 10 bytes; split the export"):
        files.download(file, tmp_path / "copy")
    unsized = remote.RemoteFile(file.shown, file.name, file.place, 0, "")
    with pytest.raises(DataError, match="larger than 10 bytes"):
        files.download(unsized, tmp_path / "copy")


def test_patterns_and_folders_of_a_bucket(
    folder: Folder, memory: fsspec.AbstractFileSystem
) -> None:
    for name in ("o-1.csv", "o-2.csv", "x.txt", "day=1/part-0.csv", "day=1/_SUCCESS"):
        memory.pipe_file(f"/shop/{name}", ORDERS)
    for url, n_files in (("o-*.csv", 2), ("day=1", 1), ("o-1.csv", 1)):
        shop = folder.source(interactions=source(folder, f"memory://shop/{url}"))
        assert len(input_digests(shop)) == n_files
    with pytest.raises(ConfigError, match="no file of a known format"):
        RemoteFiles("memory://shop/p-*.csv", "catalogue").files()
    with pytest.raises(ConfigError, match="no such file"):
        RemoteFiles("memory://shop/none.csv", "catalogue").files()


def test_unknown_and_missing_file_systems_are_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*write https://, s3:// or another URL of fss"):
        RemoteFiles("nowhere://shop/a.csv", "catalogue")
    with pytest.raises(MissingExtra, match=r"gcsfs.*or the file system's package, such as gcsfs"):
        RemoteFiles("gs://shop/a.csv", "catalogue")
