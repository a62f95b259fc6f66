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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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


class AddressRefused(Exception):
    """A name leads to an address that may not be connected to."""


def post(request: HttpRequest) -> HttpResponse:
    """Send a request once. A failure of the network or server is a response, not an exception."""
    try:
        return _exchange(request)
    except AddressRefused as error:
        return HttpResponse(0, str(error), refused=True)
    except TimeoutError:
        return HttpResponse(0, f"no whole answer within {request.timeout_s:g} s")
    except ssl.SSLCertVerificationError as error:
        return HttpResponse(0, f"certificate: {error.verify_message}", refused=True)
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        return HttpResponse(0, f"{type(error).__name__}: {error}"[:300])


def addresses(host: str, port: int, *, link_local: bool) -> list[str]:
    """The addresses of a host. Raises: AddressRefused where one is not allowed, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    distinct = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in distinct:
        refused = None if link_local else _metadata(address)
        if refused:
            raise AddressRefused(
                f"{host} leads to {refused}, a link-local or metadata address; "
                "set text_api.link_local = true if that is meant"
            )
    return distinct


def _metadata(text: str) -> str | None:
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    for inner in (address, *_embedded(address)):
        if any(inner in network for network in METADATA):
            return str(inner)
    return None


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address contains."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    embedded = [address.ipv4_mapped, address.sixtofour]
    if address in NAT64:
        embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in embedded if inner is not None]


def _exchange(request: HttpRequest) -> HttpResponse:
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    places = addresses(host, port, link_local=request.link_local)
    if parts.scheme != "https" and "Authorization" in request.headers:
        _check_private(host, places)
    with _connected(parts, places, port, request.timeout_s) as connection:
        connection.request("POST", parts.path, request.body.encode(), dict(request.headers))
        response = connection.getresponse()
        headers = {name: response.headers.get(name, "") for name in HEADERS_READ}
        body = response.read(request.limit + 1)
        if len(body) > request.limit:
            return HttpResponse(0, f"an answer of more than {request.limit:,} bytes", refused=True)
        if response.length:
            return HttpResponse(0, f"an answer cut off {response.length:,} bytes before its end")
        return HttpResponse(response.status, response.reason, headers, body)


def _check_private(host: str, places: list[str]) -> None:
    """Check that a key goes over http only to this machine or a private network."""
    for place in places:
        address = ipaddress.ip_address(place.partition("%")[0])
        if not (address.is_private or address.is_loopback):
            raise AddressRefused(f"{host} is a public host: a key is sent there over https only")


@contextmanager
def _connected(
    parts: SplitResult, places: list[str], port: int, timeout_s: float
) -> Iterator[http.client.HTTPConnection]:
    """A connection to the first address that accepts one, cut when the time is up."""
    connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=timeout_s)
    opened = _socket(places, port, timeout_s)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        opened = context.wrap_socket(
            opened, server_hostname=parts.hostname, do_handshake_on_connect=False
        )
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(opened, socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()
        connection.sock = opened
        yield connection
        if late.is_set():
            raise TimeoutError
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        connection.close()
        opened.close()


def _socket(places: list[str], port: int, timeout_s: float) -> socket.socket:
    failed: OSError = OSError("no address")
    for place in places:
        try:
            return socket.create_connection((place, port), timeout_s)
        except OSError as error:
            failed = error
    raise failed
