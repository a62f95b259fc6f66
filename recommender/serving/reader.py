"""The reader of a lookup: it polls in the background, and reads lists within one deadline.

It is written once, as coroutines. `AsyncRelatedItems` awaits them; `RelatedItems` runs them on the
network of threads, with `completed`.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence

from recommender.core.related import RelatedList, with_heading
from recommender.serving.answer_fields import AnswerFields
from recommender.serving.bundles import Bundle, Bundling
from recommender.serving.cluster import Cluster
from recommender.serving.codec import View
from recommender.serving.fallbacks import PROBE_INTERVAL_S, Breaker
from recommender.serving.lookup_settings import LookupSettings
from recommender.serving.network import Network
from recommender.serving.polling import poll
from recommender.serving.sentinel import Primary
from recommender.serving.sessions import Session
from recommender.serving.state import (
    Command,
    ListRequest,
    NotAsked,
    PolledState,
    Query,
    Refused,
    Reply,
)
from recommender.serving.transport import Connections
from recommender.serving.urls import cluster_url, sentinel_url

POLL_INTERVAL_S = 0.5

log = logging.getLogger(__name__)


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
        self._fields = AnswerFields(core, settings.cache_items, self._read)
        self.recent = self._fields.recent
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
        (request,) = await self.requests(items, (query,))
        return request

    async def requests(
        self, items: Sequence[str], queries: Sequence[Query], until: float = 0.0
    ) -> list[ListRequest]:
        """The lists of `items` in several placements, all in one round trip."""
        until = until or time.monotonic() + self._deadline_s
        core = self.core
        if not core.fresh:
            await self._await_poll(until)
        requests = [core.request(items, query) for query in queries]
        for request in requests:
            request.until = until
        reading = [(one, one.view) for one in requests if one.wanted and one.view is not None]
        if reading and self._reading:
            try:
                await self._read_lists(reading, until)
            except Exception as error:
                # The errors that can occur here are no closed set, and none of them may take a
                # product page down.
                core.failed("read_failures", error)
        return requests

    async def finished(
        self,
        answered: Sequence[tuple[RelatedList, ListRequest]],
        seed: str = "",
        *,
        distinct: bool = False,
    ) -> list[RelatedList]:
        """The answers with what their query asks of the fields of items, and with new items.

        A list for several items has the fields of `seed` as those of its item.
        """
        return await self._fields.finished(answered, seed, distinct=distinct)

    async def single(self, answer: RelatedList, request: ListRequest) -> RelatedList:
        """As `finished`, for the answer about one item, which had no `recent` one."""
        fields = self._fields
        return (await fields.finished([(answer, request)], "", distinct=False, anew=True))[0]

    async def page(self, item: str, queries: Sequence[Query]) -> list[RelatedList]:
        """A list for each query, read together, with its heading; no item is in two of them."""
        shown: set[str] = set()
        answered = []
        for request in await self.requests((item,), queries):
            query = request.query
            request.query = query._replace(excluded=query.excluded | shown)
            answered.append((self.core.answer(request, item), request))
            if query.fields is None or not query.fields.whole_lists:
                shown.update(answered[-1][0].ids)
        made = await self.finished(answered, distinct=True)
        return [
            with_heading(
                answer,
                request.storefront.heading(answer.placement, request.language),
                request.language,
            )
            for answer, (_, request) in zip(made, answered, strict=True)
        ]

    async def session(self, session: Session, query: Query) -> RelatedList:
        """One list for what a visitor did, without the items of the session."""
        request = await self.request(session.items, query)
        weights = session.weights(request.storefront)
        excluded = query.excluded | session.left_out(request.storefront)
        request.query = query._replace(excluded=excluded)
        answer = self.core.merged(request, weights)
        return (await self.finished([(answer, request)], next(iter(weights), "")))[0]

    async def bundle(self, item: str, query: Query, most: int) -> Bundle:
        """The item with at most so many companions, from lists and records that are read at once.

        Without a placement, that of the shop's bundles counts.
        """
        until = time.monotonic() + self._deadline_s
        await self._await_poll(until)
        terms = self.core.state.storefront_for(query.key).bundles
        query = query._replace(placement=query.placement or terms.placement)
        (request,) = await self.requests((item,), (query,), until)
        bundling = Bundling(self.core.answer(request, item), terms, most)
        if item in request.state.withheld:
            return bundling.without("the item is hidden or not available")
        ids = [entry.id for entry in bundling.companions()]
        reading = self._fields.reading(request)
        lists: list[RelatedList] = []
        if ids:
            (others,) = await self.requests(ids, (query,), until)
            lists = self.core.answers(others, ids, distinct=False)
            await self._fields.read(reading, request, [item, *ids])
        return bundling.chosen(lists, reading)

    async def _read(self, command: Command, until: float) -> Reply | None:
        """The reply to a command, None where there is none before the deadline."""
        if not self._reading:
            return None
        try:
            reply = await self._connections.read(command, until)
        except Exception as error:
            # As above: a page without its records is better than none.
            self.core.failed("read_failures", error)
            return None
        self.core.breaker.succeeded()
        return reply

    async def _read_lists(self, reading: Sequence[tuple[ListRequest, View]], until: float) -> None:
        commands = [self.core.command(request, view) for request, view in reading]
        keys = [key for command in commands for key in command[1:]]
        reply = await self._connections.read((commands[0][0], *keys), until)
        start = 0
        for (request, view), command in zip(reading, commands, strict=True):
            end = start + len(command) - 1
            self.core.take(request, view, reply[start:end])
            start = end

    @property
    def _reading(self) -> bool:
        return not (self._stopped or self.core.breaker.open)

    async def _await_poll(self, until: float) -> None:
        """Wait for the next poll; after several waits in vain, not until a poll succeeded."""
        if self.core.fresh:
            return
        self._revive()
        polled = self._polled
        if self._vain.open or not self._reading:
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
            core.lost()
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
