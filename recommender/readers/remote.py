"""Remote files: what a URL that fsspec knows names, and their download."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from recommender.core.redaction import conceal_url, redacted, redacted_url
from recommender.errors import ConfigError, DataError, MissingExtra, RecommenderError
from recommender.readers.files import is_input

CONNECT_S = 10
READ_S = 60
MAX_BYTES = 64 * 2**30
"""The most bytes of one file that are downloaded."""
_VERSIONS = (
    "ETag",
    "etag",
    "md5Hash",
    "Last-Modified",
    "LastModified",
    "mtime",
    "updated",
    "created",
)
"""What file systems call that which changes with the content of a file."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file behind a URL; `state` changes with its content, and is "" where nothing says so."""

    shown: str
    name: str
    place: str
    size: int
    state: str


class RemoteFiles:
    """The files that a URL names: one, those that match a pattern, or those of a folder.

    Raises: MissingExtra where the file system is not installed; ConfigError for an unknown one.
    """

    def __init__(self, url: str, setting: str) -> None:
        conceal_url(url)
        self._where = f"{setting}.path: {redacted_url(url).partition('?')[0]}"
        self._http = url.startswith(("http://", "https://"))
        self._url = url
        self._system, self._place = self._opened()

    def files(self) -> list[RemoteFile]:
        """The files, in the order of their names.

        Raises: ConfigError where there is none; DataError where the server does not answer.
        """
        with self._reachable():
            found = [self._file(place) for place in self._places()]
        if not found:
            raise ConfigError(f"{self._where}: no file of a known format")
        return found

    def download(self, file: RemoteFile, path: Path) -> None:
        """Copy a file. Raises: as `files`; DataError where it is too large or arrives in part."""
        from fsspec.callbacks import Callback

        class Bound(Callback):  # type: ignore[misc]
            def relative_update(self, inc: int = 1) -> None:
                super().relative_update(inc)
                require_size(self.value)

        def require_size(n_bytes: int) -> None:
            if n_bytes > MAX_BYTES:
                raise DataError(f"{file.shown}: larger than {MAX_BYTES:,} bytes; split the export")

        require_size(file.size)
        with self._reachable():
            self._system.get_file(file.place, str(path), callback=Bound())
        arrived = path.stat().st_size
        require_size(arrived)
        if 0 < file.size != arrived:
            raise DataError(
                f"{file.shown}: {arrived:,} of {file.size:,} bytes arrived, or it changed on the "
                "way; run again"
            )

    def _places(self) -> list[str]:
        if self._http:
            return [self._place]
        if any(mark in self._place for mark in "*?["):
            return sorted(
                place for place in self._system.glob(self._place) if self._system.isfile(place)
            )
        if self._system.isdir(self._place):
            names = sorted(self._system.find(self._place))
            return [name for name in names if is_input(name.rpartition("/")[2])]
        return [self._place]

    def _file(self, place: str) -> RemoteFile:
        facts = self._system.info(place)
        size = int(facts.get("size") or 0)
        versions = [f"{name}={facts[name]}" for name in _VERSIONS if facts.get(name)]
        shown = redacted_url(place if self._http else self._system.unstrip_protocol(place))
        shown = shown.partition("?")[0]
        path = unquote(urlsplit(place).path) if self._http else place
        name = path.rstrip("/").rpartition("/")[2] or "file"
        state = "; ".join([*versions, f"size={size}"]) if versions else ""
        return RemoteFile(shown, name, place, size, state)

    def _opened(self) -> tuple[Any, str]:
        try:
            import fsspec

            options = self._options()
            system, place = fsspec.url_to_fs(
                self._url, skip_instance_cache=True, use_listings_cache=False, **options
            )
        except ImportError as error:
            extra = "s3" if self._url.startswith("s3:") else "remote"
            why = redacted(str(error))
            raise MissingExtra(
                f"{self._where}: {why}; pip install 'recommender[{extra}]', or the file system's "
                "package, such as gcsfs or adlfs"
            ) from None
        except ValueError as error:
            raise ConfigError(
                f"{self._where}: {redacted(str(error))}; write https://, s3:// or another URL of "
                "fsspec"
            ) from None
        return system, str(place)

    def _options(self) -> dict[str, Any]:
        """Timeouts; and bytes as they are stored, so that a .gz stays one."""
        if self._http:
            import aiohttp

            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S)
            headers = {"Accept-Encoding": "identity"}
            return {"client_kwargs": {"timeout": timeout, "headers": headers}}
        if self._url.startswith(("s3://", "s3a://")):
            return {"config_kwargs": {"connect_timeout": CONNECT_S, "read_timeout": READ_S}}
        return {}

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Turn what a file system raises, each its own errors, into one that says what to do."""
        try:
            yield
        except RecommenderError:
            raise
        except Exception as error:  # every file system has errors of its own
            cause: BaseException = error
            if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
                cause = error.__cause__  # what fsspec's HTTP raises for all faults
            status = getattr(cause, "status", 0)
            if isinstance(cause, FileNotFoundError) or status in {404, 410}:
                raise ConfigError(f"{self._where}: no such file; correct the URL") from None
            if isinstance(cause, PermissionError) or status in {401, 403}:
                raise ConfigError(
                    f"{self._where}: access is refused; check the credentials and their rights"
                ) from None
            why = redacted(" ".join(str(cause).split()) or "no answer in time")
            raise DataError(
                f"{self._where} cannot be read: {type(cause).__name__}: {why:.300}; check the "
                "network and the server, and run again"
            ) from None
