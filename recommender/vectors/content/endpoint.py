"""One exchange with an HTTP server that is trusted with nothing. Standard library only.

The name is resolved once, its addresses are checked, and exactly one of those is connected to, so
that a name which resolves otherwise the second time leads nowhere. No redirect is followed, no
proxy asked, no compression accepted; size and time of the whole answer are limited.
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

CHUNK = 65_536
METADATA = (
    ipaddress.ip_network("169.254.0.0/16"),
    ipaddress.ip_network("fe80::/10"),
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("100.100.100.200/32"),
)
"""Link-local, and where clouds answer questions about credentials elsewhere."""
NAT64 = ipaddress.ip_network("64:ff9b::/96")
TOLD = ("retry-after", "retry-after-ms", "location")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Question:
    """A POST of JSON: at most `limit` bytes come back, within `timeout_s` seconds altogether."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: str
    timeout_s: float
    limit: int
    link_local: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` is 0 where that was no whole answer, and `reason` says why."""

    status: int
    reason: str = ""
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    refused: bool = False


class AddressRefused(Exception):
    """A name leads to an address that is not connected to."""


def ask(question: Question) -> Answer:
    """Ask, once. Never raises."""
    try:
        return _asked(question)
    except AddressRefused as error:
        return Answer(0, str(error), refused=True)
    except TimeoutError:
        return Answer(0, f"no whole answer within {question.timeout_s:g} s")
    except ssl.SSLCertVerificationError as error:
        return Answer(0, f"certificate: {error.verify_message}", refused=True)
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        return Answer(0, f"{type(error).__name__}: {error}"[:300])


def addresses(host: str, port: int, *, link_local: bool) -> list[str]:
    """The addresses of a host, which may all be connected to. Raises: AddressRefused, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    told = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in told:
        refused = None if link_local else _metadata(address)
        if refused:
            raise AddressRefused(
                f"{host} leads to {refused}, a link-local or metadata address; "
                "set text_api.link_local = true if that is meant"
            )
    return told


def _metadata(told: str) -> str | None:
    address: Address = ipaddress.ip_address(told.partition("%")[0])
    for inner in (address, *_carried(address)):
        if any(inner in network for network in METADATA):
            return str(inner)
    return None


def _carried(address: Address) -> list[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    carried = [address.ipv4_mapped, address.sixtofour]
    if address in NAT64:
        carried.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in carried if inner is not None]


def _asked(question: Question) -> Answer:
    parts = urlsplit(question.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    places = addresses(host, port, link_local=question.link_local)
    if parts.scheme != "https" and "Authorization" in question.headers:
        _check_private(host, places)
    with _connected(parts, places, port, question.timeout_s) as connection:
        connection.request("POST", parts.path, question.body.encode(), dict(question.headers))
        response = connection.getresponse()
        headers = {name: response.headers.get(name, "") for name in TOLD}
        body = bytearray()
        while chunk := response.read(CHUNK):
            body += chunk
            if len(body) > question.limit:
                return Answer(0, f"an answer of more than {question.limit:,} bytes", refused=True)
        if response.length:
            return Answer(0, f"an answer cut off {response.length:,} bytes before its end")
        return Answer(response.status, response.reason, headers, bytes(body))


def _check_private(host: str, places: list[str]) -> None:
    """A key goes over http only to this machine or a private network."""
    for place in places:
        address = ipaddress.ip_address(place.partition("%")[0])
        if not (address.is_private or address.is_loopback):
            raise AddressRefused(f"{host} is a public host: a key is sent there over https only")


@contextmanager
def _connected(
    parts: SplitResult, places: list[str], port: int, timeout_s: float
) -> Iterator[http.client.HTTPConnection]:
    """A connection to the first address that takes one, cut when the time is up."""
    connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=timeout_s)
    taken = _socket(places, port, timeout_s)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        taken = context.wrap_socket(
            taken, server_hostname=parts.hostname, do_handshake_on_connect=False
        )
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(taken, socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        if isinstance(taken, ssl.SSLSocket):
            taken.do_handshake()
        connection.sock = taken
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
        taken.close()


def _socket(places: list[str], port: int, timeout_s: float) -> socket.socket:
    failed: OSError = OSError("no address")
    for place in places:
        try:
            return socket.create_connection((place, port), timeout_s)
        except OSError as error:
            failed = error
    raise failed
