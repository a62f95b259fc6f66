"""Image files: the bytes behind paths and URLs of a catalogue, which are not trusted.

A host is resolved once for each request, its addresses are checked, and the connection goes to one
of them. Size, time and redirects are bounded. Proxies are not used.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from recommender.core.redaction import redacted
from recommender.errors import MissingExtra
from recommender.vectors.content.http_post import connected, is_metadata, port_of

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
UNTYPED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""Content types that say nothing."""
NOTHING_NAMED = "no picture is named"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "recommender"}


class ImageFault(Exception):
    """A picture cannot be had; the text is the reason, the same for all of its kind."""


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Reads pictures by reference: an http or https URL, another URL of fsspec, or a path.

    Paths start at `beside`, a folder or URL, or lie below `folder` where that is given. A picture
    has at most `bytes_max` bytes, and a request takes at most `seconds_max`. Hosts that lead to
    addresses that are not public are refused unless `private_addresses`; link-local and metadata
    addresses always are.
    """

    folder: str
    beside: str
    bytes_max: int
    seconds_max: float
    private_addresses: bool

    def state(self, reference: str) -> str:
        """What changes with the content of a local file; "" for URLs and files that are missing."""
        place = self._place(reference)
        if _SCHEME.match(place):
            return ""
        try:
            status = Path(place).stat()
        except (OSError, ValueError):
            return ""
        return f"{status.st_size}-{status.st_mtime_ns}"

    def read(self, reference: str) -> bytes:
        """The bytes of a picture. Raises: ImageFault, MissingExtra."""
        if not reference:
            raise ImageFault(NOTHING_NAMED)
        place = self._place(reference)
        if place.lower().startswith(("http://", "https://")):
            return self._downloaded(place)
        return self._opened(place) if _SCHEME.match(place) else self._file(place)

    def _place(self, reference: str) -> str:
        """The URL or path that a reference means."""
        if reference.startswith("//"):
            return f"https:{reference}"
        if reference.lower().startswith("file://"):
            reference = unquote(urlsplit(reference).path)
        if _SCHEME.match(reference):
            return reference
        if self.folder:
            return f"{self.folder.rstrip('/')}/{reference.lstrip('/')}"
        if self.beside.lower().startswith(("http://", "https://")):
            return urljoin(f"{self.beside}/", reference)
        if _SCHEME.match(self.beside):
            return f"{self.beside}/{reference.lstrip('/')}"
        return str(Path(self.beside) / reference)

    def _file(self, place: str) -> bytes:
        try:
            path = Path(place)
            inside = not self.folder or path.resolve().is_relative_to(Path(self.folder).resolve())
            if not inside:
                raise ImageFault("a path outside of the folder")
            if not path.is_file():
                raise ImageFault("no such file")
            with path.open("rb") as file:
                return self._bounded(file.read(self.bytes_max + 1))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ImageFault(f"a file that cannot be read: {reason}") from error

    def _opened(self, place: str) -> bytes:
        """The bytes behind a URL of fsspec."""
        if "::" in place:
            raise ImageFault("a chain of URLs")
        scheme = place.partition(":")[0].lower()
        try:
            import fsspec

            options = {}
            if scheme in {"s3", "s3a"}:
                limit = {"connect_timeout": self.seconds_max, "read_timeout": self.seconds_max}
                options = {"config_kwargs": limit}
            with fsspec.open(place, "rb", **options) as file:
                content: bytes = file.read(self.bytes_max + 1)
        except ImportError as error:
            extra = "s3" if scheme in {"s3", "s3a"} else "remote"
            raise MissingExtra(
                f"images: {redacted(str(error))}; pip install 'recommender[{extra}]', or the "
                f"package of {scheme}://"
            ) from error
        except FileNotFoundError as error:
            raise ImageFault("no such file") from error
        except Exception as error:  # every file system has errors of its own
            raise ImageFault(f"{scheme}://: {type(error).__name__}") from error
        return self._bounded(content)

    def _downloaded(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            with self._named_faults() as late:
                found = self._answer(url, late)
            if isinstance(found, bytes):
                return found
            allowed = ("https://",) if url.lower().startswith("https:") else ("https://", "http://")
            if not found.lower().startswith(allowed):
                raise ImageFault("a redirect to another scheme")
            url = found
        raise ImageFault(f"more than {MAX_REDIRECTS} redirects")

    @contextmanager
    def _named_faults(self) -> Iterator[threading.Event]:
        """Turn what a request raises into an ImageFault; the event is set when time is up."""
        late = threading.Event()
        try:
            yield late
        except ssl.SSLCertVerificationError as error:
            raise ImageFault("a certificate that does not hold") from error
        except socket.gaierror as error:
            raise ImageFault("a host that has no address") from error
        except ValueError as error:
            raise ImageFault("a malformed URL") from error
        except (OSError, http.client.HTTPException) as error:
            slow = late.is_set() or isinstance(error, TimeoutError)
            raise ImageFault(self._slow() if slow else type(error).__name__) from error

    def _answer(self, url: str, late: threading.Event) -> bytes | str:
        """The bytes of one answer, or the URL to which it redirects."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        places = self._addresses(host, port_of(parts))
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        if parts.query:
            target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?[]")
        named = parts.netloc.rpartition("@")[2].encode("idna").decode()
        with connected(parts, places, self.seconds_max, late) as connection:
            connection.request("GET", target, headers={"Host": named, **_HEADERS})
            with closing(connection.getresponse()) as response:
                if response.status in REDIRECTS:
                    return urljoin(url, response.headers.get("Location", ""))
                self._check(response)
                content = self._bounded(response.read(self.bytes_max + 1))
                if late.is_set():
                    raise ImageFault(self._slow())
                if response.length:
                    raise ImageFault("an answer that is cut off")
                return content

    def _check(self, response: http.client.HTTPResponse) -> None:
        """Refuse an answer that is no picture, or is too large, before it is read."""
        if response.status != http.HTTPStatus.OK:
            raise ImageFault(f"HTTP {response.status}")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not (kind in UNTYPED or kind.startswith("image/")):
            raise ImageFault(f"content type {kind:.40}")
        if response.length is not None and response.length > self.bytes_max:
            raise ImageFault(self._large())

    def _addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of which are allowed. Raises: ImageFault, OSError."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        places = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for place in places:
            if is_metadata(place):
                raise ImageFault("a link-local or metadata address")
            if not (self.private_addresses or _is_public(place)):
                raise ImageFault("a private address (allow them with private_addresses = true)")
        return places

    def _bounded(self, content: bytes) -> bytes:
        if len(content) > self.bytes_max:
            raise ImageFault(self._large())
        return content

    def _large(self) -> str:
        return f"more than {self.bytes_max:,} bytes"

    def _slow(self) -> str:
        return f"no whole answer within {self.seconds_max:g} s"


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        return address.is_global and (inner is None or inner.is_global) and not address.is_multicast
    return address.is_global and not address.is_multicast
