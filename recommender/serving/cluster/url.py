"""The URL of a Cluster: some of its nodes, which know of the others."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis.connection import parse_url

Address = tuple[str, int]
"""Host and port of a node."""

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
DEFAULT_PORT = 6379
SEED = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class ClusterUrl:
    """`redis+cluster://user:password@host:port,host:port?options`, or `rediss+cluster://` for TLS.

    `login` and `options` go to every node as they stand.
    """

    scheme: str
    login: str
    seeds: tuple[Address, ...]
    options: str

    def node(self, address: Address) -> str:
        """The URL of one node."""
        host, port = address
        named = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{self.login}{named}:{port}{self.options}"


def read_cluster_url(url: str) -> ClusterUrl | None:
    """The parts of a Cluster's URL, None for a URL that names one server.

    Raises: ValueError, without the URL, for a malformed one and for a database other than 0.
    """
    scheme, _, _ = url.partition("://")
    if scheme not in SCHEMES:
        return None
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    options = f"?{parts.query}" if parts.query else ""
    asked = parse_url(f"redis://h{parts.path}{options}")  # type: ignore[no-untyped-call]
    if asked.get("db", 0) or parts.path not in ("", "/", "/0"):
        raise ValueError("a Cluster has database 0 alone")
    seeds = tuple(_seed(text) for text in hosts.split(","))
    return ClusterUrl(SCHEMES[scheme], login + at, seeds, options)


def _seed(text: str) -> Address:
    found = SEED.fullmatch(text)
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{text!r:.80} is not host:port")
    return found["v6"] or found["host"], port
