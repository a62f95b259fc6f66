"""The processes of a simulation: what they do, in calls of production code."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from celery.exceptions import Retry

from recommender import pipeline
from recommender.build.gates import Gates
from recommender.core.related import RelatedItem
from recommender.errors import RecommenderError, StoreUnavailable
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.publishing.staging import Staging
from recommender.serving.lookup_settings import LookupSettings
from recommender.serving.network import Network, completed
from recommender.serving.queries import checked_query
from recommender.serving.reader import Reader
from tests.serving import builds
from tests.simulation.reader_network import SimulatedNetwork
from tests.simulation.shop import KEYS, N_ITEMS, SHOP, named
from tests.simulation.world import Process
from workers import reconciliation, tasks
from workers.processes import Ended, ForkedProcess, ReportEvent
from workers.step_executor import StepDied

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

ITEMS = builds.item_ids(N_ITEMS).ids
IDLE_S = 0.2
RECONCILE_S = 3.0
ASKING_S = 0.3


def publish(simulation: "Simulation") -> None:
    """A person, or cron, with the command line: one command after another."""
    chance = simulation.world.random
    commands: dict[Callable[[Simulation, Publisher], object], int] = {
        _reindex: 5,
        _canary: 1,
        _promote: 1,
        _roll_back: 2,
        _overlay: 2,
        _collect: 1,
        _hide: 2,
    }
    while True:
        simulation.world.sleep(chance.expovariate(1))
        (command,) = chance.choices([*commands], [*commands.values()])
        simulation.world.note(command.__name__)
        try:
            with simulation.open_shop(SHOP) as (_, publisher):
                command(simulation, publisher)
        except RecommenderError as error:
            simulation.world.note(f"{type(error).__name__}: {error}")


def _reindex(simulation: "Simulation", publisher: Publisher, share: float = 0.0) -> None:
    job = simulation.pinned(simulation.shop.settings.job())
    outcome = pipeline.reindex(job, publisher, Gates(), force=True, canary_share=share)
    simulation.published.append(outcome.generation.id)


def _canary(simulation: "Simulation", publisher: Publisher) -> None:
    _reindex(simulation, publisher, 0.5)


def _promote(_simulation: "Simulation", publisher: Publisher) -> None:
    publisher.promote()


def _roll_back(_simulation: "Simulation", publisher: Publisher) -> None:
    publisher.rollback()


def _collect(_simulation: "Simulation", publisher: Publisher) -> None:
    publisher.collect()


def _overlay(simulation: "Simulation", publisher: Publisher) -> None:
    seen, _ = publisher.layers()
    some = simulation.world.random.sample(ITEMS, simulation.world.random.randrange(3))
    lists = builds.some_lists({item: [RelatedItem(ITEMS[0], 0.5, "both")] for item in some})
    parts = [lists] if some else []
    key = f"overlay-{len(simulation.invariants.lists)}"
    simulation.invariants.lists[key] = named(Staging(KEYS, 1, parts, 1)) if some else {}
    publisher.lay_over(parts, seen=seen, lists_key=key)


def _hide(simulation: "Simulation", publisher: Publisher) -> None:
    hidden, chance = Hidden(publisher.store, SHOP), simulation.world.random
    act = hidden.hide if chance.random() < 0.5 else hidden.unhide
    act(chance.sample(ITEMS, 2))


# The fleet


@dataclass
class Message:
    """A message of the broker, from a time on."""

    task: Any
    arguments: tuple[Any, ...]
    due: float
    retries: int = 0
    redelivered: bool = False


@dataclass
class Broker:
    """Messages that may be lost, come twice, or come again after a worker died."""

    random: random.Random
    now: Callable[[], float]
    messages: list[Message] = field(default_factory=list)
    unacknowledged: dict[str, Message] = field(default_factory=dict)
    lost: float = 0.0
    twice: float = 0.0

    def send(self, task: object) -> Callable[..., None]:
        """What replaces `apply_async` and `delay` of a task."""

        def send(*arguments: Any, queue: str = "") -> None:  # noqa: ANN401
            given = arguments[0] if isinstance(arguments[0], tuple) else arguments
            self.put(Message(task, given, self.now()))

        return send

    def put(self, message: Message) -> None:
        """Take a message."""
        draw = self.random.random()
        copies = 0 if draw < self.lost else 2 if draw < self.lost + self.twice else 1
        self.messages += [message] * copies

    def take(self) -> Message | None:
        """A message that is due."""
        for message in self.messages:
            if message.due <= self.now():
                self.messages.remove(message)
                return message
        return None

    def waiting(self) -> int:
        """How many messages wait."""
        return len(self.messages)

    def died(self, worker: str) -> None:
        """Deliver again what a dead worker had, or lose it."""
        message = self.unacknowledged.pop(worker, None)
        if message is not None and self.random.random() < 0.5:
            again = Message(message.task, message.arguments, self.now(), 0, redelivered=True)
            self.messages.append(again)


def work(simulation: "Simulation", name: str) -> None:
    """A worker: Celery's part is played here, the tasks are real."""
    broker, world = simulation.broker, simulation.world
    while True:
        message = broker.take()
        if message is None:
            world.sleep(IDLE_S * (0.5 + world.random.random()))
            continue
        broker.unacknowledged[name] = message
        world.note(f"takes {message.task.name} {message.arguments}")
        given = {"routing_key": "recommender", "redelivered": message.redelivered}
        message.task.push_request(
            called_directly=True, delivery_info=given, retries=message.retries
        )
        try:
            message.task.run(*message.arguments)
        except (Retry, RecommenderError) as error:
            world.note(f"{type(error).__name__}: {error}")
            if message.retries < tasks.MAX_RETRIES and _again(error):
                due = world.now + 0.5 * 2**message.retries
                broker.put(Message(message.task, message.arguments, due, message.retries + 1))
        finally:
            message.task.pop_request()
        del broker.unacknowledged[name]


def _again(error: Exception) -> bool:
    return isinstance(error, Retry | StoreUnavailable | StepDied)


@dataclass
class StepProcess:
    """Replaces `ForkedProcess`: the work is a process that dies with its worker, or alone."""

    work: Callable[[ReportEvent], None]
    keep_alive: Callable[[], bool] = lambda: True
    every_s: float = 60.0
    memory_mb: int = 0
    simulation: "Simulation" = field(init=False)

    def run(self) -> list[Mapping[str, Any]]:
        """Run to the end; returns the events."""
        return ForkedProcess.run(cast("ForkedProcess", self))

    def events(self) -> Iterator[Any]:
        """Run to the end: the events that the work reports, then how the process ended."""
        world = self.simulation.world
        parent, reported = world.current, []
        assert parent is not None
        step = world.start(
            f"{parent.name}.step",
            lambda: self.work(lambda event, **more: reported.append({"event": event, **more})),
            parent=parent,
        )
        world.start(f"{parent.name}.beat", lambda: self._keep(step), parent=step)
        step.ended.wait(float("inf"))
        yield from reported
        error = step.error
        if error is not None and not isinstance(error, RecommenderError):
            raise error
        kind = type(error).__name__ if error else ""
        killed = 9 if step.killed else 0
        yield Ended(killed, kind, str(error or ""), 0)

    def _keep(self, step: Process) -> None:
        while step.alive:
            self.simulation.world.sleep(self.every_s)
            try:
                kept = self.keep_alive()
            except RecommenderError:
                kept = True
            if not kept:
                step.kill()


def reconcile(simulation: "Simulation") -> None:
    """Beat, and the worker that takes its messages."""
    world, broker = simulation.world, simulation.broker
    while True:
        world.sleep(world.random.expovariate(1 / (1.0 if simulation.recovering else RECONCILE_S)))
        draw = world.random.random()
        try:
            if draw < 0.1 and not simulation.recovering:
                tasks.begin("reindex", SHOP)
            elif draw < 0.2:
                tasks.audit.run(SHOP)
            else:
                reconciliation.reconcile(SHOP, tasks.send, tasks.begin, broker.waiting)
                simulation.note_reconciled()
        except RecommenderError as error:
            world.note(f"{type(error).__name__}: {error}")


# Storefronts


def read(simulation: "Simulation", name: str) -> None:
    """A storefront: a reader that polls, and shoppers that ask."""
    world, chance = simulation.world, simulation.world.random
    settings = LookupSettings("redis://simulated", SHOP, 0.05, 4, None, "reader")
    network, polling = SimulatedNetwork(simulation.wire), list[Process]()

    def revive() -> None:
        if not polling or not polling[0].alive:
            poll = world.start(
                f"{name}.poll", lambda: completed(reader.run()), parent=world.current
            )
            polling[:] = [poll]

    reader = Reader(settings, cast("Network", network), revive)
    while True:
        world.sleep(chance.expovariate(1 / ASKING_S))
        asked_at = world.now
        key = chance.choice(["", "a", "b"])
        query = checked_query("related", 12, (), min_score=0.0, key=key)
        items = chance.sample(ITEMS, chance.randint(1, 3))
        request = completed(reader.request(items, query))
        answers = reader.core.answers(request, items, distinct=False)
        simulation.invariants.answered(answers, asked_at)
