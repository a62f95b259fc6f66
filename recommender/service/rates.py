"""Limits of rates: how often something may happen for each of many names."""

import time
from ipaddress import IPv6Address, ip_address, ip_network

MAX_NAMES = 10_000
"""Names that are remembered; of more, the one that was first counted is forgotten."""


class RateLimit:
    """Lets `burst` events of a name pass at once and `per_s` a second, by GCRA; 0: all of them.

    Kept for each name is the time at which it will have used up nothing (its theoretical arrival
    time in Rec. ITU-T I.371).
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._interval_s = 1 / per_s if per_s else 0.0
        self._tolerance_s = max(burst - 1, 0) * self._interval_s
        self._free_at: dict[str, float] = {}

    def wait_s(self, name: str) -> float:
        """The seconds until another event of the name may pass, 0 if it may now."""
        return max(self._free_at.get(name, 0.0) - self._tolerance_s - time.monotonic(), 0.0)

    def count(self, name: str) -> None:
        """Count an event that passed."""
        if not self._interval_s:
            return
        self._free_at[name] = max(self._free_at.get(name, 0.0), time.monotonic()) + self._interval_s
        if len(self._free_at) > MAX_NAMES:
            del self._free_at[next(iter(self._free_at))]


def network_of(host: str) -> str:
    """The address that limits count by: of IPv6, where one client has many, its /64 network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address.packed[:8] + bytes(8), 64)))
    return host
