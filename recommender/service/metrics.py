"""Metrics of this process since it started, and the health of its shops."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import Metric, UntypedMetricFamily
from prometheus_client.registry import Collector

from recommender.core.related import STATUSES, RelatedList, Status
from recommender.service.answers import ShopHealth

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
UNREAD: frozenset[Status] = frozenset({"stale", "fallback", "degraded"})
"""The statuses of lists for which Redis could not be read."""

disable_created_metrics()  # type: ignore[no-untyped-call]

Stats = Mapping[str, Callable[[], Mapping[str, int]]]
"""By shop, the function that returns the counters of its lookup."""


class ServiceMetrics:
    """Counters in a registry of their own, and when each shop's Redis was last read."""

    def __init__(self, stats: Stats) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_LookupCollector(stats))
        about, labels = "Lists, by shop and status.", ("shop", "status")
        answers = Counter("recommender_answers", about, labels, registry=self._registry)
        self._answers = {
            (shop, status): answers.labels(shop, status) for shop in stats for status in STATUSES
        }
        about = "Requests that were refused, by HTTP status."
        self.refusals = Counter("recommender_refusals", about, ("code",), registry=self._registry)
        self.seconds = Histogram(
            "recommender_request_seconds",
            "Duration of requests that were answered by lists.",
            registry=self._registry,
            buckets=BOUNDS_S,
        )
        self._last: dict[str, Status | None] = dict.fromkeys(stats)
        self._read_at: dict[str, float | None] = dict.fromkeys(stats)

    def count_list(self, shop: str, answer: RelatedList) -> None:
        """Count one list by its status."""
        self._answers[shop, answer.status].inc()
        self._last[shop] = answer.status
        if answer.status not in UNREAD:
            self._read_at[shop] = time.monotonic()

    def health(self) -> dict[str, ShopHealth]:
        """The health of every shop."""
        now = time.monotonic()
        return {
            shop: ShopHealth(
                last_status=self._last[shop],
                read_seconds_ago=None if at is None else round(now - at, 1),
            )
            for shop, at in self._read_at.items()
        }

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return generate_latest(self._registry)


class _LookupCollector(Collector):
    """Reads the counters of the lookups when Prometheus asks."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        family = UntypedMetricFamily(
            "recommender_lookup", "Counters of the lookup.", labels=("shop", "what")
        )
        for shop, stats in self._stats.items():
            for name, count in stats().items():
                family.add_metric((shop, name), count)
        yield family
