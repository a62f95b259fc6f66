"""The shop of a simulation: its builds as artifacts, and production code that plans nothing else.

A run makes one of three builds that are there already. All that follows is production code: gates,
publication, leases, reconciliation.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

from recommender import pipeline
from recommender.artifacts.storage import LocalStorage
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build import contents
from recommender.build.gates import Gates
from recommender.build.job import Job, Pins
from recommender.build.list_steps import Plan
from recommender.build.steps import Made, Step
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Measures
from recommender.core.telemetry import Stopwatch
from recommender.publishing.records import Records
from recommender.publishing.staging import Staging
from recommender.serving.keys import Keys
from recommender.settings.loading import load
from recommender.settings.model import Settings
from tests.serving import builds
from tests.workers.fleet import CLOSED, write_tiny_shop

SHOP = "acme"
N_ITEMS, SHARD_ITEMS, N_BUILDS = 6, 3, 3
KEYS = Keys(SHOP)
CATALOGUE = Catalogue.of_titles(
    builds.item_ids(N_ITEMS), [f"Title {row}" for row in range(N_ITEMS)]
)


@dataclasses.dataclass(frozen=True, slots=True)
class RunRecords(LocalStorage):
    """A folder whose small files, the records of runs, are kept in memory: a seed has many."""

    files: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def read(self, path: str, limit: int) -> bytes | None:
        """A small file, None where there is none."""
        found = self.files.get(path)
        return LocalStorage.read(self, path, limit) if found is None else found

    def create(self, path: str, content: bytes) -> bool:
        """Write a small file where there is none yet; False where there is one."""
        return self.files.setdefault(path, content) is content

    def replace(self, path: str, content: bytes) -> None:
        """Write a small file, whatever was there."""
        self.files[path] = content

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        prefix = f"{folder}/"
        return [path.removeprefix(prefix) for path in self.files if path.startswith(prefix)]


@dataclasses.dataclass
class Shop:
    """Settings, artifacts, and the lists of each build as they must be in the store, by name."""

    settings: Settings
    artifacts: ArtifactStore
    records: RunRecords
    file: Path
    builds: Mapping[str, Mapping[str, bytes]]

    def without_runs(self) -> "Shop":
        """The shop before its first run."""
        self.records.files.clear()
        return self


@contextmanager
def opened() -> Iterator[Shop]:
    """A shop for simulations, in a temporary folder."""
    with TemporaryDirectory() as folder:
        shop = write_shop(Path(folder))
        with planned(shop):
            yield shop


def write_shop(folder: Path) -> Shop:
    """Write the settings and the builds of the shop into a folder."""
    file = write_tiny_shop(folder, SHOP, store=CLOSED, broker=CLOSED)
    settings = load(file)
    artifacts = settings.artifact_store()
    artifacts.write(
        contents.READ[0],
        "read",
        {f"catalogue.{name}": one for name, one in CATALOGUE.columns().items()},
        {},
    )
    written = dict(_write_build(artifacts, number) for number in range(1, N_BUILDS + 1))
    assert isinstance(artifacts.storage, LocalStorage)
    records = RunRecords(artifacts.storage.root)
    object.__setattr__(artifacts, "storage", records)
    return Shop(settings, artifacts, records, file, written)


def _write_build(artifacts: ArtifactStore, number: int) -> tuple[str, dict[str, bytes]]:
    lists = builds.related_lists(N_ITEMS, build=number)
    keys = []
    for start in range(0, N_ITEMS, SHARD_ITEMS):
        rows = np.arange(start, start + SHARD_ITEMS)
        columns = {
            "sizes": lists.sizes[rows],
            **lists.entries[lists.places(rows.astype(np.int32))].columns(),
            "best_sellers": lists.best_sellers,
        }
        keys.append(f"lists-{number}-{start}")
        artifacts.write(contents.LISTS[0], keys[-1], columns, {})
    measures = Measures(N_ITEMS, 100, len(lists.entries), 1.0, 1.0)
    summary = {
        "read": "read",
        "lists": {"related": keys},
        "shard_items": SHARD_ITEMS,
        "recipe": {"placements": [{"name": "related"}]},
        "report": {"n_items": N_ITEMS},
        "n_items": N_ITEMS,
        "measures": dataclasses.asdict(measures),
        "health": {},
    }
    key = f"build-{number}"
    artifacts.write(contents.BUILD[0], key, {}, summary)
    return key, named(Staging.full(KEYS, 1, CATALOGUE.ids, [lists], Records.of(CATALOGUE)))


def named(staging: Staging) -> dict[str, bytes]:
    """The lists of a staging by their names in its generation."""
    prefix = KEYS.prefix(staging.generation)
    return {
        key.removeprefix(prefix): value
        for values in staging.batches(100)
        for key, value in values.items()
    }


@contextmanager
def planned(shop: Shop) -> Iterator[None]:
    """Let production code plan nothing but the builds of the shop, and read each of them once."""

    def nothing() -> Made:
        raise AssertionError("all builds are there")

    def plan(job: Job) -> Plan:
        assert job.pins is not None
        key = job.pins.inputs["build"]
        place = (shop.artifacts, contents.BUILD[0], key)
        goal = Step.single(place, (contents.BUILD[0], "build"), (read_step,), nothing)
        return Plan(read_step, (), goal)

    read_place = (shop.artifacts, contents.READ[0], "read")
    read_step = Step.single(read_place, (contents.READ[0], "read"), (), nothing)

    whole_job = dataclasses.replace(shop.settings.job(), artifacts=shop.artifacts, settings={})
    find, columns = ArtifactStore.find, Artifact.columns

    @cache
    def find_once(self: ArtifactStore, step: str, key: str) -> Artifact | None:
        return find(self, step, key)

    read: dict[tuple[str, tuple[str, ...]], Any] = {}

    def columns_once(self: Artifact, *names: str) -> Any:  # noqa: ANN401
        if (self.path, names) not in read:
            read[self.path, names] = columns(self, *names)
        return read[self.path, names]

    with ExitStack() as patches:
        for target, name, value in (
            (pipeline, "plan", plan),
            (pipeline, "read_and_planned", plan),
            (pipeline, "discard_damaged", lambda _goal: []),
            (ArtifactStore, "find", find_once),
            (Artifact, "columns", columns_once),
            (Settings, "job", lambda _self: dataclasses.replace(whole_job, stopwatch=Stopwatch())),
            (Settings, "frozen_as", _frozen_as),
            (Settings, "artifact_store", lambda _self: shop.artifacts),
        ):
            patches.enter_context(mock.patch.object(target, name, value))
        yield


def _frozen_as(settings: Settings, run: Mapping[str, Any]) -> Settings:
    """The settings of the shop, with the gates of a run's record."""
    gates = Gates(**run["gates"]) if run else settings.gates
    return settings.model_copy(update={"gates": gates})


def pins(build: str) -> Pins:
    """The pins of a job that ends in a build."""
    return Pins({"build": build}, {}, {})
