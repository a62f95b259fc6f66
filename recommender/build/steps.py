"""Steps: the stages of a run as a graph, and by what they are to a placement.

A step has one artifact per shard, under keys that are known before its inputs exist, or as soon as
the step that decides them is done. It is done when all its artifacts exist and their files have
their sizes, and ready when all that it needs is done. There is no other state: the artifacts alone
show what is left to do. So one process and a fleet perform the same steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from recommender import registry
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import catalogue_of, interactions_of
from recommender.build.job import Kinds
from recommender.core.arrays import Columns
from recommender.core.interactions import Interactions
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import FittedRanker, RankingContext
from recommender.core.recipe import Placement, Recipe
from recommender.core.telemetry import Stopwatch
from recommender.core.vectors import Embeddings, ItemVectors, Origins
from recommender.errors import ArtifactError
from recommender.ranking.chooser import Chooser, prepare
from recommender.ranking.training_set import reads_near_by_content

Made = tuple[Columns, Mapping[str, Any]]
Work = Literal["encode", "cpu"]


@dataclass(frozen=True, slots=True)
class Task:
    """One shard of one step, by name and number."""

    step: str
    shard: int


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: `make` yields (shard, artifact) for the shards asked for, and loads inputs once.

    `name` is its name in a plan, `label` is shown to people; `keys` returns one key per shard, or
    None while the shards are not decided; `work` is the kind of worker that it is for.
    """

    artifacts: ArtifactStore
    name: str
    label: str
    folder: str
    needs: tuple["Step", ...]
    keys: Callable[[], tuple[str, ...] | None]
    make: Callable[[Sequence[int]], Iterator[tuple[int, Made]]]
    work: Work = "cpu"

    @classmethod
    def single(
        cls,
        place: tuple[ArtifactStore, str, str],
        names: tuple[str, str],
        needs: tuple["Step", ...],
        make: Callable[[], Made],
    ) -> "Step":
        """A step with one artifact: `place` is store, folder and key, `names` name and label."""
        (artifacts, folder, key), (name, label) = place, names

        def shards(_: Sequence[int]) -> Iterator[tuple[int, Made]]:
            yield 0, make()

        return cls(artifacts, name, label, folder, needs, lambda: (key,), shards)

    def missing(self) -> tuple[int, ...] | None:
        """The shards without a whole artifact, None while it is not decided how many there are."""
        keys = self.keys()
        if keys is None:
            return None
        done = (self.artifacts.is_done(self.folder, key) for key in keys)
        return tuple(shard for shard, is_done in enumerate(done) if not is_done)

    def parts(self) -> list[Artifact]:
        """The artifacts of all shards. Raises: ArtifactError where one is missing."""
        keys = self.keys()
        if keys is None:
            raise ArtifactError(f"step {self.name}: what it depends on is not there; run again")
        return [self.artifacts.require(self.folder, key) for key in keys]

    def artifact(self) -> Artifact:
        """The artifact of a step that has a single one. Raises: ArtifactError."""
        (artifact,) = self.parts()
        return artifact

    @property
    def key(self) -> str:
        """The key of a step that has a single artifact."""
        (key,) = self.keys() or ()
        return key

    def perform(self, shards: Sequence[int]) -> None:
        """Make some shards; those that are there already stay as they are."""
        keys = self.keys() or ()
        for shard, (columns, summary) in self.make(shards):
            self.artifacts.write(self.folder, keys[shard], columns, summary)


def complete(goal: Step, stopwatch: Stopwatch) -> None:
    """Make whatever the goal still needs, in this process, inputs first."""
    _complete(goal, stopwatch, set())


def _complete(step: Step, stopwatch: Stopwatch, seen: set[str]) -> None:
    if step.name in seen:
        return
    seen.add(step.name)
    if step.missing() == ():
        stopwatch.reused(step.label)
        return
    for need in step.needs:
        _complete(need, stopwatch, seen)
    missing = step.missing()
    if missing is None:
        raise ArtifactError(f"step {step.name}: what it depends on went away; run again")
    if missing:
        with stopwatch.measure(step.label):
            step.perform(missing)


def ready(goal: Step) -> list[Task]:
    """What can be made now on the way to the goal; nothing once that is done."""
    return list(dict.fromkeys(_ready(goal, {})))


def _ready(step: Step, known: dict[str, list[Task]]) -> list[Task]:
    if step.name in known:
        return known[step.name]
    missing = step.missing()
    tasks: list[Task] = []
    if missing != ():
        tasks = [task for need in step.needs for task in _ready(need, known)]
        if not tasks:
            tasks = [Task(step.name, shard) for shard in missing or ()]
    known[step.name] = tasks
    return tasks


def steps_of(goal: Step) -> list[Step]:
    """The goal and all that it is made of, each once, inputs first."""
    found: dict[str, Step] = {}

    def visit(step: Step) -> None:
        for need in step.needs:
            if need.name not in found:
                visit(need)
        found[step.name] = step

    visit(goal)
    return list(found.values())


def named(goal: Step, name: str) -> Step:
    """The step of that name. Raises: ArtifactError where the plan has none."""
    for step in steps_of(goal):
        if step.name == name:
            return step
    raise ArtifactError(f"there is no step {name!r:.60} on the way to {goal.name}")


@dataclass(frozen=True, slots=True)
class Events:
    """The interactions that are learned from: of some kinds, as far as each user is trusted.

    Of a user's events with an item, those in the newest `user_baskets` baskets count; 0: all.
    """

    read: Step
    kinds: Kinds
    user_baskets: int

    def load(self) -> Interactions:
        """Load them."""
        return interactions_of(self.read.artifact()).of_kinds(self.kinds).capped(self.user_baskets)

    def plain(self) -> dict[str, Any]:
        """Which they are, as part of a key, where they are not all."""
        capped = {"user_baskets": self.user_baskets} if self.user_baskets else {}
        return capped | ({"kinds": list(self.kinds)} if self.kinds else {})


@dataclass(frozen=True, slots=True)
class PlacementInputs:
    """The steps whose artifacts the lists of a placement are chosen from.

    `content` and `behaviour` are by the names of the recipe; `ranker` is None where the placement's
    ranker does not learn.
    """

    recipe: Recipe
    placement: Placement
    events: Events
    content: Mapping[str, Step]
    behaviour: Mapping[str, Step]
    vectors: Step
    index: Step
    near: Step
    ranker: Step | None = None

    def steps(self) -> dict[str, Step]:
        """Those of them that the placement reads, by what they are to it."""
        found = {"read": self.events.read}
        found |= {f"content.{name}": step for name, step in self.content.items()}
        found |= {f"behaviour.{name}": step for name, step in self.behaviour.items()}
        found |= {"vectors": self.vectors, "index": self.index}
        if reads_near_by_content(self.placement):
            found["near"] = self.near
        return found if self.ranker is None else found | {"ranker": self.ranker}

    def origins(self) -> Origins:
        """The embeddings by origin."""
        return Origins(embeddings_of(self.content), embeddings_of(self.behaviour))

    def fitted_ranker(self) -> FittedRanker:
        """The ranker, with what it learned."""
        ranker = registry.ranker(self.placement.ranker)
        return ranker.load(self.ranker.artifact().columns()) if self.ranker else ranker.fit(None)

    def chooser(self) -> tuple[Chooser, RankingContext]:
        """What chooses the lists, and the context that it reads."""
        context = RankingContext(
            catalogue=catalogue_of(self.events.read.artifact()),
            interactions=self.events.load(),
            origins=self.origins(),
            vectors=vectors_of(self.vectors),
            near_by_content=cache(lambda: neighbours_of(self.near)),
            users_min=self.recipe.trust.users_min,
        )
        builder = registry.index_builder(self.recipe.index)
        index = builder.restore(context.vectors.targets, self.index.artifact().columns())
        return prepare(self.placement, context, index, self.fitted_ranker()), context


@dataclass(frozen=True, slots=True)
class PlacementPlan:
    """How the lists of a placement are made.

    `chosen` are those before the merchandisers' rules, `lists` those that are published.
    """

    inputs: PlacementInputs
    chosen: Step
    lists: Step

    @property
    def name(self) -> str:
        """The name of the placement."""
        return self.inputs.placement.name


def neighbours_of(step: Step) -> Neighbours:
    """What a step of neighbours made."""
    columns = step.artifact().columns()
    return Neighbours(columns["rows"], columns["scores"])


def vectors_of(step: Step) -> ItemVectors:
    """What a step of item vectors made."""
    return ItemVectors.from_columns(step.artifact().columns("queries", "targets", "bound"))


def embeddings_of(steps: Mapping[str, Step]) -> dict[str, Embeddings]:
    """What the steps of some origins made."""
    return {
        name: Embeddings.from_columns(step.artifact().columns()) for name, step in steps.items()
    }
