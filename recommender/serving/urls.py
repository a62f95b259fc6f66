"""URLs of stores: of a Cluster, of Sentinels, and any without its password."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from redis.connection import parse_url

from recommender.core.redaction import redacted_url
from recommender.errors import ConfigError

Address = tuple[str, int]
"""Host and port of a server."""

CLUSTER_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
SENTINEL_SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
DEFAULT_PORT, SENTINEL_PORT = 6379, 26379
SERVICE = re.compile(r"/(?P<service>[A-Za-z0-9._-]+)(?:/(?P<database>\d{1,4})?)?")
SEED = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class ClusterUrl:
    """`redis+cluster://user:password@host:port,host:port?options`, or `rediss+cluster://` for TLS.

    `login` and `options` are used for every node.
    """

    scheme: str
    login: str
    seeds: tuple[Address, ...]
    options: str

    def node(self, address: Address) -> str:
        """The URL of one node."""
        return f"{self.scheme}://{self.login}{_named(address)}{self.options}"


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """`redis+sentinel://user:password@host:port,host:port/service/database?options`.

    The hosts are Sentinels, `login` is that of the servers, and the options `sentinel_username` and
    `sentinel_password` make `sentinel_login`. With `rediss+sentinel://` all speak TLS; other
    `options` are used for every server and Sentinel.
    """

    scheme: str
    login: str
    sentinels: tuple[Address, ...]
    service: str
    database: str
    sentinel_login: str
    options: str

    def server(self, address: Address) -> str:
        """The URL of one server."""
        return f"{self.scheme}://{self.login}{_named(address)}/{self.database}{self.options}"

    def sentinel(self, address: Address) -> str:
        """The URL of one Sentinel."""
        return f"{self.scheme}://{self.sentinel_login}{_named(address)}{self.options}"


def _named(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def cluster_url(url: str) -> ClusterUrl | None:
    """The parts of a Cluster's URL, None for a URL that names one server. Raises: ConfigError."""
    try:
        return _read_cluster_url(url)
    except ValueError as error:
        raise ConfigError(
            f"store url {redacted(url)!r}: {error}; write redis+cluster://host:port,host:port"
        ) from error


def _read_cluster_url(url: str) -> ClusterUrl | None:
    """The parts of a Cluster's URL, None for a URL that names one server.

    Raises: ValueError, without the URL, for a malformed one and for a database other than 0.
    """
    scheme, _, _ = url.partition("://")
    if scheme not in CLUSTER_SCHEMES:
        return None
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    options = f"?{parts.query}" if parts.query else ""
    asked = parse_url(f"redis://h{parts.path}{options}")  # type: ignore[no-untyped-call]
    if asked.get("db", 0) or parts.path not in ("", "/", "/0"):
        raise ValueError("a Cluster has database 0 alone")
    seeds = tuple(_seed(text, DEFAULT_PORT) for text in hosts.split(","))
    return ClusterUrl(CLUSTER_SCHEMES[scheme], login + at, seeds, options)


def sentinel_url(url: str) -> SentinelUrl | None:
    """The parts of a URL of Sentinels, None for any other URL. Raises: ConfigError."""
    try:
        return _read_sentinel_url(url)
    except ValueError as error:
        raise ConfigError(
            f"store url {redacted(url)!r}: {error}; write "
            "redis+sentinel://host:port,host:port/service"
        ) from error


def _read_sentinel_url(url: str) -> SentinelUrl | None:
    """As `sentinel_url`. Raises: ValueError, without the URL."""
    scheme, _, _ = url.partition("://")
    if scheme not in SENTINEL_SCHEMES:
        return None
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    path = SERVICE.fullmatch(parts.path)
    if path is None:
        raise ValueError("the path is not the service that the Sentinels monitor")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    user, password = (options.pop(f"sentinel_{name}", "") for name in ("username", "password"))
    return SentinelUrl(
        SENTINEL_SCHEMES[scheme],
        login + at,
        tuple(_seed(text, SENTINEL_PORT) for text in hosts.split(",")),
        path["service"],
        path["database"] or "0",
        f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else "",
        f"?{urlencode(options)}" if options else "",
    )


def _seed(text: str, default_port: int) -> Address:
    found = SEED.fullmatch(text)
    port = int(found["port"] or default_port) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{text!r:.80} is not host:port")
    return found["v6"] or found["host"], port


def redacted(url: str) -> str:
    """`url` without its user and password, for messages and logs; it need not be well formed."""
    return redacted_url(url)
