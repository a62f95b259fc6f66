"""Fetching one file over HTTP: within a size, whole, and with the expected checksum."""

import hashlib
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from data_fixtures.errors import FixtureDataError
from data_fixtures.whole_files import whole_file

MOST_BYTES = 100 * 1024 * 1024
TIMEOUT_S = 30.0
BLOCK_BYTES = 1 << 16


def download(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    most_bytes: int = MOST_BYTES,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Fetch `url` into `path`; on any error no file is left.

    Raises FixtureDataError where the server cannot be reached, answers with an error or nothing for
    `timeout_s`, or sends too much, too little, or bytes with another checksum.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FixtureDataError(f"cannot download {url}: only http and https are allowed")
    try:
        with _open(url, timeout_s) as response, whole_file(path) as temporary:
            found = _receive(response, temporary, most_bytes)
            _check_digest(found, sha256)
    except (FixtureDataError, OSError, ValueError, HTTPException) as error:
        raise FixtureDataError(f"cannot download {url}: {error}") from error


def _open(url: str, timeout_s: float) -> HTTPResponse:
    """The server's answer, its body not yet read; an answer that is an error is closed."""
    try:
        response: HTTPResponse = urlopen(url, timeout=timeout_s)
    except HTTPError as error:
        error.close()
        raise
    return response


def _receive(response: HTTPResponse, path: Path, most_bytes: int) -> str:
    """Write the body to `path` and return its sha256."""
    announced = response.headers.get("Content-Length")
    digest = hashlib.sha256()
    n_bytes = 0
    with path.open("wb") as file:
        while block := response.read(BLOCK_BYTES):
            n_bytes += len(block)
            if n_bytes > most_bytes:
                raise FixtureDataError(f"it is larger than {most_bytes:,} bytes")
            digest.update(block)
            file.write(block)
    if announced is not None and n_bytes != int(announced):
        raise FixtureDataError(f"it ended after {n_bytes:,} of {int(announced):,} bytes")
    return digest.hexdigest()


def _check_digest(found: str, expected: str | None) -> None:
    """Raise where a checksum is expected and another one was found."""
    if expected is not None and found != expected.lower():
        raise FixtureDataError(f"its sha256 is {found} instead of {expected.lower()}")
