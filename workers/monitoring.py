"""The progress of a run as text, and metrics of the fleet for Prometheus.

Both are read from records, Redis and the broker on request, so one process reports on all machines.
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from recommender.artifacts.runs import Run, find_run
from recommender.build import steps
from recommender.build.contents import BUILD
from recommender.build.steps import Task
from recommender.errors import RecommenderError
from recommender.settings.model import Settings
from workers.celery import configured, open_shop
from workers.reconciliation import reconciled_s_ago
from workers.run_planner import RunPlanner, open_run
from workers.shard_leases import ShardLeases
from workers.tasks import waiting

POLL_S = 0.5
GAUGES = {
    "recommender_up": "1 where the broker, or the shop's Redis and artifacts, can be read now.",
    "recommender_waiting_messages": "Messages that wait in all queues.",
    "recommender_reconciled_seconds_ago": "Seconds since a worker reconciled the shop.",
    "recommender_live_generation": "Number of the live generation.",
    "recommender_live_age_seconds": "Seconds since the live generation was built.",
    "recommender_newest_run": "Number of the newest run.",
    "recommender_step_shards_made": "Shards that the newest run made, by step.",
    "recommender_step_seconds": "Seconds that the newest run's shards took, by step.",
    "recommender_step_peak_bytes": "Peak memory of the newest run's shards, by step.",
    "recommender_shards_that_died": "Shards of the newest run whose process died.",
}

Gauge = tuple[str, dict[str, str], float]
"""The name, labels and value of one sample."""


def newest_run(settings: Settings) -> Run | None:
    """The newest run of a shop."""
    store = settings.artifact_store()
    number = store.highest_run()
    return find_run(store, number) if number else None


def status_lines(run_id: str) -> list[str]:
    """The state of a run and its unfinished steps. Raises: StoreUnavailable, ArtifactError."""
    with open_run(run_id) as planner:
        run = planner.run
        lines = [f"{run.id} {run.state}" + (f": {run.error}" if run.error else "")]
        lines += [f"  held: {why}" for why in run.held]
        if run.state == "running":
            lines += [f"  {line}" for line in _step_lines(planner)]
    return lines


def follow(run_id: str) -> Run:
    """Write the progress of a run, or of the run that continues it, to stderr until it ends."""
    shown: list[str] = []
    while True:
        with open_run(run_id) as planner:
            run, newest = planner.run, planner.store.highest_run()
        lines = status_lines(run_id)
        new = [line for line in lines if line not in shown]
        if new:
            sys.stderr.write("\n".join(new) + "\n")
        shown = lines
        if run.state == "superseded":
            run_id = f"{run.shop}.{newest}"
            continue
        if run.state != "running":
            return run
        time.sleep(POLL_S)


def _step_lines(planner: RunPlanner) -> list[str]:
    """The steps whose shards are known and not all done; how many are, and who works on them."""
    goal = planner.goal
    if goal.name != BUILD[0]:
        return ["read"]
    planned = steps.steps_of(goal)
    missing = {step.name: step.missing() for step in planned}
    done = [step for step in planned if missing[step.name] == ()]
    lines = [f"{len(done)} of {len(planned)} steps done"]
    for step in planned:
        left = missing[step.name]
        if not left:
            continue
        total = len(step.keys() or ())
        names = [planner.lease_name(Task(step.name, shard)) for shard in left]
        holders = sorted({holder for holder in planner.leases.holders(names) if holder})
        if holders or len(left) < total:
            lines.append(f"{step.label}: {total - len(left)} of {total}, {', '.join(holders)}")
    if len(done) == len(planned):
        lines.append(f"publish: {len(planner.leases.records('staged'))} shards staged")
    return lines


def serve_metrics(host: str, port: int) -> None:
    """Answer Prometheus until the process ends."""
    registry = CollectorRegistry()
    registry.register(FleetCollector())
    _, thread = start_http_server(port, host, registry)
    thread.join()


class FleetCollector(Collector):
    """Metrics of the broker and of all shops; `recommender_up` is 0 where they cannot be read."""

    def collect(self) -> Iterator[Metric]:
        """Read all metrics."""
        families = {name: GaugeMetricFamily(name, about) for name, about in GAUGES.items()}
        gauges = _readable({"part": "broker"}, _broker)
        for shop in sorted(configured().files):
            gauges += _readable({"part": "shop", "shop": shop}, partial(_shop, shop))
        for name, labels, value in gauges:
            families[name].add_sample(name, labels, value)
        yield from families.values()


def _readable(labels: dict[str, str], read: Callable[[], Iterator[Gauge]]) -> list[Gauge]:
    try:
        return [*read(), ("recommender_up", labels, 1)]
    except (RecommenderError, OperationalError):
        return [("recommender_up", labels, 0)]


def _broker() -> Iterator[Gauge]:
    yield "recommender_waiting_messages", {}, waiting()


def _shop(shop: str) -> Iterator[Gauge]:
    labels = {"shop": shop}
    with open_shop(shop) as (settings, publisher):
        ago, live, run = reconciled_s_ago(publisher), publisher.live(), newest_run(settings)
        now = publisher.store.time()[0]
        if ago is not None:
            yield "recommender_reconciled_seconds_ago", labels, ago
        if live is not None:
            yield "recommender_live_generation", labels, live.id
            yield "recommender_live_age_seconds", labels, now - live.created_at
        if run is None:
            return
        yield "recommender_newest_run", labels | {"state": run.state}, run.number
        leases = ShardLeases(publisher, run.number)
        costs, deaths = leases.records("costs"), leases.records("deaths")
    for step in sorted({name.rpartition(".")[0] for name in costs}):
        of_step = [cost for name, cost in costs.items() if name.rpartition(".")[0] == step]
        of = labels | {"step": step}
        yield "recommender_step_shards_made", of, len(of_step)
        yield "recommender_step_seconds", of, sum(cost["seconds"] for cost in of_step)
        yield "recommender_step_peak_bytes", of, max(cost["peak_bytes"] for cost in of_step)
    yield "recommender_shards_that_died", labels, len(deaths)
