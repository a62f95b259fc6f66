"""What the service saw since it started: for its health and its metrics."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

from recommender.core.related import STATUSES, RelatedList, Status

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
UNREAD: frozenset[Status] = frozenset({"stale", "fallback", "degraded"})
"""What is answered where Redis could not be read."""


class Observed:
    """Counts of one process, in the text format of Prometheus; used from one event loop."""

    def __init__(self, shops: Mapping[str, object]) -> None:
        self._answers = {(shop, status): 0 for shop in shops for status in STATUSES}
        self._read_at: dict[str, float | None] = dict.fromkeys(shops)
        self._last: dict[str, Status | None] = dict.fromkeys(shops)
        self._refused: Counter[int] = Counter()
        self._slower = [0] * (len(BOUNDS_S) + 1)
        self._seconds = 0.0

    def answer(self, shop: str, answer: RelatedList) -> None:
        """Count one list by its status."""
        self._answers[shop, answer.status] += 1
        self._last[shop] = answer.status
        if answer.status not in UNREAD:
            self._read_at[shop] = time.monotonic()

    def request(self, seconds: float) -> None:
        """Count one request that was answered by lists."""
        self._slower[bisect_left(BOUNDS_S, seconds)] += 1
        self._seconds += seconds

    def refusal(self, status: int) -> None:
        """Count one request that was refused."""
        self._refused[status] += 1

    def health(self) -> dict[str, dict[str, object]]:
        """For every shop its last status, and how long ago Redis answered, None where never."""
        now = time.monotonic()
        return {
            shop: {
                "last_status": self._last[shop],
                "read_seconds_ago": None if at is None else round(now - at, 1),
            }
            for shop, at in self._read_at.items()
        }

    def text(self, lookups: Mapping[str, Mapping[str, int]]) -> str:
        """Everything, with the counters of the lookups by shop."""
        lines = ["# TYPE recommender_answers_total counter"]
        lines += [
            f'recommender_answers_total{{shop="{shop}",status="{status}"}} {count}'
            for (shop, status), count in self._answers.items()
        ]
        lines.append("# TYPE recommender_refusals_total counter")
        lines += [
            f'recommender_refusals_total{{code="{code}"}} {count}'
            for code, count in sorted(self._refused.items())
        ]
        lines += [*self._histogram(), *_lookup_lines(lookups)]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "recommender_request_seconds"
        lines = [f"# TYPE {name} histogram"]
        total = 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self._slower, strict=True):
            total += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{name}_sum {self._seconds:.6f}", f"{name}_count {total}"]


def _lookup_lines(lookups: Mapping[str, Mapping[str, int]]) -> list[str]:
    names = sorted({name for counters in lookups.values() for name in counters})
    lines = ["# TYPE recommender_lookup untyped"] if names else []
    return lines + [
        f'recommender_lookup{{shop="{shop}",what="{name}"}} {counters[name]}'
        for shop, counters in lookups.items()
        for name in names
        if name in counters
    ]
