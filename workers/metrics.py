"""Metrics of the fleet for Prometheus, told from records, Redis and the broker when asked for."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kombu.exceptions import OperationalError

from recommender.errors import RecommenderError
from workers import tasks
from workers.claims import Claims
from workers.course import shop_at_work
from workers.reconciliation import signed_s_ago
from workers.runs import newest
from workers.shops import configured

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text() -> str:
    """All metrics; `recommender_up` is 0 for what cannot be read now."""
    lines = ["# TYPE recommender_up gauge"]
    lines += _tried('part="broker"', _broker)
    for shop in sorted(configured().files):
        lines += _tried(f'part="shop",shop="{shop}"', partial(_shop, shop))
    return "\n".join(lines) + "\n"


def serve(host: str, port: int) -> None:
    """Answer `GET /metrics` until the process ends."""
    with ThreadingHTTPServer((host, port), _Door) as server:
        server.serve_forever()


class _Door(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        found = self.path == "/metrics"
        content = text().encode() if found else b"see /metrics\n"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Scrapes are no news."""


def _tried(labels: str, told: Callable[[], Iterator[str]]) -> list[str]:
    try:
        return [*told(), f"recommender_up{{{labels}}} 1"]
    except (RecommenderError, OperationalError):
        return [f"recommender_up{{{labels}}} 0"]


def _broker() -> Iterator[str]:
    yield f"recommender_waiting_messages {tasks.waiting()}"


def _shop(shop: str) -> Iterator[str]:
    label = f'shop="{shop}"'
    with shop_at_work(shop) as (settings, publisher):
        ago, live, run = signed_s_ago(publisher), publisher.live(), newest(settings)
        now = publisher.store.time()[0]
        if ago is not None:
            yield f"recommender_reconciled_seconds_ago{{{label}}} {ago:g}"
        if live is not None:
            yield f"recommender_live_generation{{{label}}} {live.id}"
            yield f"recommender_live_age_seconds{{{label}}} {now - live.created_at}"
        if run is None:
            return
        yield f'recommender_newest_run{{{label},state="{run.state}"}} {run.number}'
        claims = Claims(publisher, run.number)
        costs, deaths = claims.notes("costs"), claims.notes("deaths")
    for stage in sorted({name.rpartition(".")[0] for name in costs}):
        of_stage = [cost for name, cost in costs.items() if name.rpartition(".")[0] == stage]
        step = f'{label},step="{stage}"'
        yield f"recommender_step_shards_made{{{step}}} {len(of_stage)}"
        yield f"recommender_step_seconds{{{step}}} {sum(cost['seconds'] for cost in of_stage):g}"
        peak = max(cost["peak_bytes"] for cost in of_stage)
        yield f"recommender_step_peak_bytes{{{step}}} {peak}"
    yield f"recommender_shards_that_died{{{label}}} {len(deaths)}"
