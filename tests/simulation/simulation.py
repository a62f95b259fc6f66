"""One run of a seed: what fails when, which processes there are, and how it ends."""

import dataclasses
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest import mock

from recommender import pipeline
from recommender.build.job import Job
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import CONFIG_VARIABLE
from recommender.settings.model import Settings
from tests.simulation import actors
from tests.simulation.invariants import Invariants
from tests.simulation.network import FATES, Faults, SimulatedRedis, StoreLink, Wire
from tests.simulation.shop import KEYS, SHOP, Shop, pins
from tests.simulation.store import SimulatedServer
from tests.simulation.world import EPOCH_S, Process, Violation, World
from workers import reconciliation, run_planner, step_executor, tasks

CHAOS_S = 10.0
"""How long things fail."""
RECOVERY_S = 120.0
"""How long it may take then until the shop is whole."""
LEASE_S, BATCH = 2.5, 6
REPLICA_LAG_S = 4.0
DISASTER, STOPPED = 0.3, 0.1
"""How often a seed has each disaster, and a second a process that is stopped."""
MOST_FAILURES = 0.04
"""The highest rate of one fate."""


class Simulation:
    """The world of one seed."""

    def __init__(self, seed: int, shop: Shop) -> None:
        self.seed = seed
        self.shop = shop
        self.world = World(seed)
        self.server = SimulatedServer(lambda: self.world.now)
        self.wire = Wire(self.world, self.server)
        self.invariants = Invariants(self.world, self.server, dict(shop.builds))
        self.server.changed = self.invariants.changed
        self.broker = actors.Broker(self.world.random, lambda: self.world.now)
        self.published: list[int] = []
        self.recovering = False
        self.reconciled = 0
        """How often in a row the fleet was asked and had nothing to do, since nothing fails."""
        self._roles: dict[str, tuple[Callable[[], object], Process]] = {}
        self._replica = self.server.snapshot()

    def run(self) -> None:
        """Run to the end. Raises: Violation."""
        with self._replaced(), self.world.installed():
            try:
                self._begin()
                self.world.run_until(EPOCH_S + CHAOS_S)
                self._recover()
            except Violation as violation:
                self.world.note(f"VIOLATION {violation}")
                raise

    @property
    def seen(self) -> Counter[str]:
        """What happened how often."""
        found = self.invariants
        return self.wire.seen + Counter(answers=found.n_answers, swaps=found.n_swaps)

    def pinned(self, job: Job) -> Job:
        """The job of a new run: its inputs decide which of the builds it makes."""
        key = self.world.random.choice([*self.shop.builds])
        return dataclasses.replace(job, pins=pins(key))

    @contextmanager
    def open_shop(self, _shop: object) -> Iterator[tuple[Settings, Publisher]]:
        """Replaces `workers.celery.open_shop`: a client of its own."""
        store = SimulatedRedis.over(StoreLink(self.wire))
        yield self.shop.settings, Publisher(store, SHOP, lease_s=LEASE_S, batch=BATCH)

    def note_reconciled(self) -> None:
        """Count how often in a row the fleet had nothing to do."""
        idle = self.recovering and not self.broker.messages and not self.broker.unacknowledged
        idle = idle and all(run["state"] != "running" for run in self._runs())
        self.reconciled = self.reconciled + 1 if idle else 0

    def _runs(self) -> list[Mapping[str, Any]]:
        found = (self.shop.artifacts.run(f"{SHOP}.{n}") for n in self.shop.artifacts.runs())
        return [run for run in found if run is not None]

    def _begin(self) -> None:
        chance = self.world.random
        rates = {name: chance.random() ** 3 * MOST_FAILURES for name in FATES}
        rates |= {"paused": chance.random() * MOST_FAILURES, "late": chance.random() * 0.02}
        rates |= {name: rates[name] / 4 for name in ("killed", "killed-after")}
        self.wire.faults = Faults(
            rates, 3 * LEASE_S, late_s=chance.random() * 8, delay_s=0.001 * 30 ** chance.random()
        )
        self.broker.lost, self.broker.twice = chance.random() * 0.1, chance.random() * 0.1
        for name, work in (
            ("publisher", partial(actors.publish, self)),
            ("publisher2", partial(actors.publish, self)),
            ("worker1", partial(actors.work, self, "worker1")),
            ("worker2", partial(actors.work, self, "worker2")),
            ("reconciler", partial(actors.reconcile, self)),
            ("reader1", partial(actors.read, self, "reader1")),
            ("reader2", partial(actors.read, self, "reader2")),
        ):
            self._roles[name] = work, self.world.start(name, work)
        self._every_second()
        self._follow()
        for disaster in (self._restart_empty, self._fail_over, self._evict):
            if chance.random() < DISASTER:
                self.world.at(EPOCH_S + chance.random() * CHAOS_S, disaster)

    def _every_second(self) -> None:
        """Start processes again that died, and stop one for a while (SIGSTOP)."""
        world = self.world
        for name, (work, process) in self._roles.items():
            if process.error is not None:
                raise process.error
            if not process.alive:
                self.broker.died(name)
                self._roles[name] = work, world.start(name, work)
        if world.random.random() < STOPPED and not self.recovering:
            _, process = world.random.choice([*self._roles.values()])
            process.pause(world.now + world.random.random() * 2 * LEASE_S)
            self._happens("a process is stopped")
        world.at(world.now + 1, self._every_second)

    def _happens(self, what: str) -> None:
        self.wire.seen[what] += 1
        self.world.note(what)

    # Disasters

    def _follow(self) -> None:
        """Let the replica have what the server has."""
        self._replica = self.server.snapshot()
        self.world.at(self.world.now + self.world.random.random() * REPLICA_LAG_S, self._follow)

    def _restart_empty(self) -> None:
        self._happens("the server restarts empty")
        self.wire.restart({}, {})
        self.invariants.damage(pointer_lost=True)

    def _fail_over(self) -> None:
        self._happens("the replica takes over")
        self.wire.restart(*self._replica)
        self.invariants.damage(pointer_lost=True)

    def _evict(self) -> None:
        pointer = self.invariants.live
        if pointer is None or self.invariants.damaged:
            return
        prefix = (KEYS.prefix(pointer.generation) + "related:").encode()
        self.invariants.damage(pointer_lost=False)
        self.invariants.evicted.add(pointer.generation)
        names = sorted(key for key in self.server.data if key.startswith(prefix))
        for key in self.world.random.sample(names, min(2, len(names))):
            self._happens("a list is evicted")
            del self.server.data[key]

    # The end

    def _recover(self) -> None:
        """Let nothing fail any more, and wait until the shop is whole. Raises: Violation."""
        self.world.note("nothing fails any more")
        self.recovering = True
        self.wire.faults = Faults({})
        self.broker.lost = self.broker.twice = 0.0
        for name in ("publisher", "publisher2"):
            self._roles.pop(name)[1].kill()
        self.world.run_until(self.world.now + RECOVERY_S, self._is_settled)
        recorded = [run["number"] for run in self._runs() if run["state"] == "published"]
        self.invariants.ended([*self.published, *recorded])

    def _is_settled(self) -> bool:
        """Whether the fleet has nothing to do any more, and was asked twice."""
        return self.reconciled >= 2

    @contextmanager
    def _replaced(self) -> Iterator[None]:
        """Put the simulated parts into the places of the real ones."""

        def forked(*given: Any) -> actors.StepProcess:  # noqa: ANN401
            process = actors.StepProcess(*given)
            process.simulation = self
            return process

        broker = self.broker
        with ExitStack() as patches:
            patches.enter_context(
                mock.patch.dict(os.environ, {CONFIG_VARIABLE: str(self.shop.file)})
            )
            for target, name, value in (
                (pipeline, "pinned", self.pinned),
                (run_planner, "pinned", self.pinned),
                (run_planner, "open_shop", self.open_shop),
                (reconciliation, "open_shop", self.open_shop),
                (run_planner, "ForkedProcess", forked),
                (reconciliation, "ForkedProcess", forked),
                (step_executor, "ForkedProcess", forked),
                (tasks.perform, "apply_async", broker.send(tasks.perform)),
                (tasks.advance, "delay", broker.send(tasks.advance)),
                (tasks.reindex, "delay", broker.send(tasks.reindex)),
            ):
                patches.enter_context(mock.patch.object(target, name, value))
            logging.disable(logging.CRITICAL)
            patches.callback(logging.disable, logging.NOTSET)
            yield
