"""The reader of a lookup: it polls in the background, and reads lists within one deadline.

It is written once, as coroutines. `AsyncRelatedItems` awaits them; `RelatedItems` runs them on the
network of threads, with `completed`.
"""

import logging
import math
import random
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recommender.errors import ConfigError
from recommender.serving.cluster import Cluster
from recommender.serving.core import Core
from recommender.serving.fallbacks import PROBE_INTERVAL_S, Breaker, Snapshot
from recommender.serving.keys import Keys
from recommender.serving.logs import warn
from recommender.serving.network import Network
from recommender.serving.sentinel import Primary
from recommender.serving.state import (
    MAX_SHOWN,
    NO_ITEMS,
    Command,
    ListRequest,
    NotAsked,
    PolledState,
    Query,
    Refused,
    Reply,
    poll,
)
from recommender.serving.transport import Connections
from recommender.serving.urls import cluster_url, sentinel_url

POLL_INTERVAL_S = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LookupSettings:
    """How lookups of one shop read. Raises: ConfigError for a malformed value."""

    url: str
    shop: str
    deadline_s: float
    cache_items: int
    snapshot: str | Path | None
    client_name: str

    def __post_init__(self) -> None:
        if not (self.deadline_s > 0 and math.isfinite(self.deadline_s)):
            raise ConfigError(f"lookup deadline {self.deadline_s!r} s: use a number above 0")
        if not re.fullmatch(r"[!-~]+", self.client_name):
            raise ConfigError(f"client name {self.client_name!r:.60}: use ASCII without spaces")

    def core(self) -> Core:
        """Make a core that has its snapshot and nothing else yet. Raises: ConfigError."""
        return Core(self.shop, cache_items=self.cache_items, snapshot=self._opened_snapshot())

    def _opened_snapshot(self) -> Snapshot | None:
        if not self.snapshot:
            return None
        try:
            return Snapshot(Path(self.snapshot), Keys(self.shop))
        except Exception as error:
            # A snapshot is for bad days only; a lookup works without one.
            warn(log, "event=snapshot_unreadable shop=%s reason=%.200s", self.shop, error)
            return None


def checked_query(
    placement: str, n: int, exclude: Collection[str], *, min_score: float, key: str
) -> Query:
    """Check types and clamp n to 0..`MAX_SHOWN`. Raises: TypeError."""
    if not isinstance(placement, str):
        raise TypeError(f"placement: text, not {type(placement).__name__}")
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"n: a whole number, not {type(n).__name__}")
    if not isinstance(min_score, int | float) or isinstance(min_score, bool):
        raise TypeError(f"min_score: a number, not {type(min_score).__name__}")
    if not isinstance(key, str):
        raise TypeError(f"key: text, not {type(key).__name__}")
    if isinstance(exclude, str) or not isinstance(exclude, Collection):
        raise TypeError(f"exclude: a collection of item ids, not {type(exclude).__name__}")
    excluded = frozenset(exclude) if exclude else NO_ITEMS
    return Query(placement, min(max(n, 0), MAX_SHOWN), excluded, min_score, key)


def checked_decay(decay: float) -> float:
    """Raises: TypeError for what is no number, ValueError for one that is not in (0, 1]."""
    if not isinstance(decay, int | float) or isinstance(decay, bool):
        raise TypeError(f"decay: a number, not {type(decay).__name__}")
    if not 0 < decay <= 1:
        raise ValueError(f"decay: {decay} is not above 0 and at most 1")
    return decay


def checked_item(item: str) -> str:
    """Raises: TypeError for an item id that is not text."""
    if not isinstance(item, str):
        raise TypeError(f"item_id: text, not {type(item).__name__}")
    return item


def checked_items(items: Collection[str]) -> list[str]:
    """Raises: TypeError for anything but a collection of texts."""
    if isinstance(items, str) or not isinstance(items, Collection):
        raise TypeError(f"item_ids: a collection of item ids, not {type(items).__name__}")
    return [checked_item(item) for item in items]


class Reader:
    """Answers queries about one shop, in one process or event loop.

    `revive` is called whenever a query finds that no poll came for a while, and starts again what
    runs `run` where that ended by itself. Raises: ConfigError.
    """

    def __init__(
        self, settings: LookupSettings, network: Network, revive: Callable[[], object]
    ) -> None:
        core, client_name = settings.core(), settings.client_name
        cluster, sentinel = cluster_url(settings.url), sentinel_url(settings.url)
        self.core = core
        self._deadline_s = settings.deadline_s
        self._network = network
        self._connections: Connections | Cluster | Primary
        if sentinel is not None:
            self._connections = Primary(
                sentinel, network, client_name=client_name, report=core.report
            )
        elif cluster is None:
            self._connections = Connections(settings.url, network, client_name=client_name)
        else:
            self._connections = Cluster(
                cluster,
                network,
                core.keys.live,
                client_name=client_name,
                deadline_s=settings.deadline_s,
                report=core.report,
            )
        self._polled = network.event()
        self._revive = revive
        self._vain = Breaker()
        self._stopped = False

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until a poll has read Redis; polls come at their own pace."""
        until = time.monotonic() + timeout_s
        self._revive()
        while not self._stopped:
            polled = self._polled
            if self.core.fresh:
                return True
            if not await polled.wait_until(until):
                return False
        return False

    def stats(self) -> Mapping[str, int]:
        """The counters of the core, and those of the connections."""
        return {**self.core.stats(), **self._connections.counts()}

    def stop(self) -> None:
        """Read no more, and let `run` end soon."""
        self._stopped = True
        self._connections.wanted.set()

    async def run(self) -> None:
        """Poll, and connect for requests, until `stop`; it can run again if it was ended before."""
        self._connections.open()
        try:
            while not self._stopped:
                await self._poll()
                await self._rest()
        finally:
            self._connections.close()

    async def request(self, items: Sequence[str], query: Query) -> ListRequest:
        """Read the lists of `items` that the cache does not have, before the deadline."""
        until = time.monotonic() + self._deadline_s
        core = self.core
        if not core.fresh:
            self._revive()
            await self._await_poll(until)
        request = core.request(items, query)
        view = request.view
        if request.wanted and view is not None and self._reading:
            try:
                reply = await self._connections.read(core.command(request, view), until)
                core.take(request, view, reply)
            except Exception as error:
                # The errors that can occur here are no closed set, and none of them may take a
                # product page down.
                core.failed("read_failures", error)
        return request

    @property
    def _reading(self) -> bool:
        return not (self._stopped or self.core.breaker.open)

    async def _await_poll(self, until: float) -> None:
        """Wait for the next poll; after several waits in vain, not until a poll succeeded."""
        polled = self._polled
        if self.core.fresh or self._vain.open or not self._reading:
            return
        self._connections.wanted.set()
        if not await polled.wait_until(until):
            self._vain.failed()
            self.core.failed("read_failures", NotAsked("no poll before the deadline"))

    async def _rest(self) -> None:
        """Connect for requests that wait, until the next poll is due or a request waits for it.

        While the breaker is open, the next poll is the probe.
        """
        core, wanted = self.core, self._connections.wanted
        probing = core.breaker.open
        pause_s = PROBE_INTERVAL_S * random.uniform(0.8, 1.2) if probing else POLL_INTERVAL_S
        until = time.monotonic() + pause_s
        while not self._stopped and await wanted.wait_until(until):
            wanted.clear()
            if core.breaker.open:
                continue
            if not core.fresh:
                return
            try:
                await self._connections.top_up()
            except Exception as error:
                core.failed("poll_failures", error)
                return

    async def _poll(self) -> None:
        core, connections = self.core, self._connections
        try:
            await connections.top_up()
            asked_at = time.monotonic()
            state, took_s = await self._read_state()
        except Exception as error:
            core.failed("poll_failures", error)
        else:
            core.confirm(state, asked_at)
            self._vain.close()
            if core.breaker.open and took_s <= self._deadline_s:
                core.breaker.close()
        finally:
            polled, self._polled = self._polled, self._network.event()
            polled.set()

    async def _read_state(self) -> tuple[PolledState, float]:
        """The new state, and the seconds that the first reply took."""
        polling = poll(self.core.keys, self.core.state)
        command = next(polling)
        asked_at, took_s = time.monotonic(), 0.0
        while True:
            reply, refusal = await self._asked(command)
            took_s = took_s or time.monotonic() - asked_at
            try:
                command = polling.throw(refusal) if refusal else polling.send(reply)
            except StopIteration as done:
                return done.value, took_s

    async def _asked(self, command: Command) -> tuple[Reply, Refused | None]:
        try:
            return await self._connections.poll(command), None
        except Refused as error:
            return (), error
