"""One HTTP POST to a server that is not trusted. Standard library only.

The host name is resolved once, its addresses are checked, and the connection goes to one of them,
so a name that resolves differently the second time leads nowhere. Redirects are not followed,
proxies are not used, compression is not accepted, and the size and time of the whole response are
limited.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

METADATA = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("100.100.100.200/32"),
)
"""Link-local networks, and the addresses at which clouds give out credentials."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
HEADERS_READ = ("retry-after", "retry-after-ms", "location")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST of JSON: at most `limit` bytes come back, within `timeout_s` seconds altogether."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: str
    timeout_s: float
    limit: int
    link_local: bool = False


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back; without a whole response `status` is 0 and `reason` says why.

    Where it was `refused`, sending the request again is no use.
    """

    status: int
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    refused: bool = False

    def asked_wait(self) -> float | None:
        """Seconds that the server asks to wait, None where it does not or in no known way."""
        try:
            if milliseconds := self.headers.get("retry-after-ms"):
                return max(float(milliseconds) / 1000, 0.0)
            value = self.headers.get("retry-after", "").strip()
            if value[:1].isdigit():
                return float(value)
            return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
        except ValueError:
            return None


class AddressRefused(Exception):
    """A name leads to an address that may not be connected to."""


def post(request: HttpRequest) -> HttpResponse:
    """Send a request once. A failure of the network or server is a response, not an exception."""
    late = threading.Event()
    response = HttpResponse(0)
    try:
        response = _exchange(request, late)
    except AddressRefused as error:
        return HttpResponse(0, str(error), refused=True)
    except ssl.SSLCertVerificationError as error:
        return HttpResponse(0, f"certificate: {error.verify_message}", refused=True)
    except TimeoutError:
        late.set()
    except (OSError, http.client.HTTPException, ValueError) as error:
        response = HttpResponse(0, f"{type(error).__name__}: {error}"[:300])
    if late.is_set():
        return HttpResponse(0, f"no whole answer within {request.timeout_s:g} s")
    return response


def addresses(host: str, port: int, *, link_local: bool) -> list[str]:
    """The addresses of a host. Raises: AddressRefused where one is not allowed, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    distinct = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    refused = [] if link_local else [address for address in distinct if is_metadata(address)]
    if refused:
        raise AddressRefused(
            f"{host} leads to {refused[0]}, a link-local or metadata address; "
            "set text_api.link_local = true if that is meant"
        )
    return distinct


def is_metadata(text: str) -> bool:
    """Whether an address, or the IPv4 address that an IPv6 address contains, is in `METADATA`."""
    address = ipaddress.ip_address(text.partition("%")[0])
    inner: list[Address | None] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        inner += [address.ipv4_mapped, address.sixtofour]
        if address in NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return any(one in network for one in inner if one is not None for network in METADATA)


def _exchange(request: HttpRequest, late: threading.Event) -> HttpResponse:
    """The response; a connection that is open when the time is up is cut, and `late` is set."""
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    places = addresses(host, port_of(parts), link_local=request.link_local)
    if parts.scheme != "https" and "Authorization" in request.headers:
        _check_private(host, places)
    with connected(parts, places, request.timeout_s, late) as connection:
        connection.request("POST", parts.path, request.body.encode(), dict(request.headers))
        return _read(connection.getresponse(), request.limit)


def port_of(parts: SplitResult) -> int:
    """The port of a URL. Raises: ValueError where it is none."""
    return parts.port or (443 if parts.scheme == "https" else 80)


@contextmanager
def connected(
    parts: SplitResult, places: list[str], timeout_s: float, late: threading.Event
) -> Iterator[http.client.HTTPConnection]:
    """A connection to the host of a URL at one of its addresses.

    It is cut after `timeout_s` seconds, and `late` is set. Raises: OSError.
    """
    host, port = parts.hostname or "", port_of(parts)
    with ExitStack() as stack:
        opened = stack.enter_context(_socket(places, port, timeout_s))
        if parts.scheme == "https":
            wrapped = ssl.create_default_context().wrap_socket(
                opened, server_hostname=host, do_handshake_on_connect=False
            )
            opened = stack.enter_context(wrapped)

        def cut() -> None:
            late.set()
            with suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

        timer = threading.Timer(timeout_s, cut)
        timer.daemon = True
        timer.start()
        stack.callback(timer.cancel)
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()
        connection = stack.enter_context(closing(http.client.HTTPConnection(host, port)))
        connection.sock = opened
        yield connection


def _read(response: http.client.HTTPResponse, limit: int) -> HttpResponse:
    headers = {name: response.headers.get(name, "") for name in HEADERS_READ}
    body = response.read(limit + 1)
    if len(body) > limit:
        return HttpResponse(0, f"an answer of more than {limit:,} bytes", refused=True)
    if response.length:
        return HttpResponse(0, f"an answer cut off {response.length:,} bytes before its end")
    return HttpResponse(response.status, response.reason, headers, body)


def _check_private(host: str, places: list[str]) -> None:
    """Check that a key goes over http only to this machine or a private network."""
    for place in places:
        address = ipaddress.ip_address(place.partition("%")[0])
        if not (address.is_private or address.is_loopback):
            raise AddressRefused(f"{host} is a public host: a key is sent there over https only")


def _socket(places: list[str], port: int, timeout_s: float) -> socket.socket:
    """A connection to the first address that accepts one."""
    failed: OSError = OSError("no address")
    for place in places:
        try:
            return socket.create_connection((place, port), timeout_s)
        except OSError as error:
            failed = error
    raise failed
