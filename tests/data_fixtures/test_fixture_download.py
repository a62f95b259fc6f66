import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_fixtures.__main__ import main
from data_fixtures.download import download
from data_fixtures.errors import FixtureDataError

BODY = b"InvoiceNo,StockCode\n" * 5_000
DIGEST = hashlib.sha256(BODY).hexdigest()


class RetailServer(ThreadingHTTPServer):
    """Answers as its path says; /silent waits until the test is over."""

    daemon_threads = True
    over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/silent":
            RetailServer.over.wait(30)
            return
        self.send_response(200)
        if self.path == "/truncated":
            self.send_header("Content-Length", str(len(BODY) + 7))
        elif self.path != "/unannounced":
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with RetailServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        RetailServer.over.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["whole", "unannounced"])
@pytest.mark.parametrize("sha256", [None, DIGEST, DIGEST.upper()])
def test_a_whole_body_is_kept(address: str, tmp_path: Path, page: str, sha256: str | None) -> None:
    path = tmp_path / "archive"
    download(f"{address}/{page}", path, sha256=sha256, most_bytes=len(BODY))
    assert path.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("page", "sha256", "most_bytes", "message"),
    [
        ("whole", "0" * 64, len(BODY), f"its sha256 is {DIGEST} instead of 0{{64}}"),
        ("whole", None, len(BODY) - 1, "larger than 99,999 bytes"),
        ("unannounced", None, len(BODY) - 1, "larger than 99,999 bytes"),
        ("truncated", None, 2 * len(BODY), "100,000 of 100,007 bytes|IncompleteRead"),
        ("missing", None, len(BODY), "404"),
        ("silent", None, len(BODY), "timed out"),
    ],
)
def test_errors_leave_no_file(
    address: str, tmp_path: Path, page: str, sha256: str | None, most_bytes: int, message: str
) -> None:
    url = f"{address}/{page}"
    with pytest.raises(FixtureDataError, match=message) as error:
        download(url, tmp_path / "a", sha256=sha256, most_bytes=most_bytes, timeout_s=0.5)
    assert url in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_survives_a_failed_download(address: str, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(b"earlier")
    with pytest.raises(FixtureDataError):
        download(f"{address}/truncated", path)
    assert path.read_bytes() == b"earlier"


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://localhost/x", "retail.zip", ""])
def test_other_schemes_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(FixtureDataError, match="only http and https"):
        download(url, tmp_path / "a")


@pytest.mark.parametrize(
    ("sha256", "message"),
    [("0" * 64, "instead of 0"), (DIGEST, "Online Retail differs: columns InvoiceNo, StockCode")],
)
def test_the_command_checks_checksum_and_rows(
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sha256: str,
    message: str,
) -> None:
    out = tmp_path / "out"
    url = f"{address}/whole"
    arguments = ["online-retail", "--download", url, "--sha256", sha256, "--out", str(out)]
    assert main(arguments) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not out.exists()
