"""Runs: the input and result of each reindex, as JSON next to the artifacts.

The number of a run is the fence under which its lists go live, so it orders runs without a clock.
A run whose number is below the live generation can never go live.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast

from recommender.artifacts.store import ArtifactStore
from recommender.errors import ArtifactError

State = Literal["running", "published", "held", "failed", "superseded", "cancelled"]
UNFINISHED = frozenset({"running", "held"})
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its settings without secrets, the facts fixed when it began, and its result.

    `artifacts` has folder and key of everything that its build is made of, `held` the reasons of a
    gate, and `jumps` the items that entered the first five of many lists.
    """

    shop: str
    number: int
    state: State
    settings: Mapping[str, Any]
    pins: Mapping[str, Any]
    artifacts: Sequence[Sequence[str]] = ()
    build: str = ""
    recipe_digest: str = ""
    held: Sequence[str] = ()
    jumps: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    measures: Mapping[str, Any] = field(default_factory=dict)
    generation: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[Mapping[str, Any]] = ()

    @property
    def id(self) -> str:
        """`<shop>.<number>`."""
        return run_id(self.shop, self.number)

    def begin(self, store: ArtifactStore) -> None:
        """Write the record of a new run. Raises: ArtifactError where the number is taken."""
        if not store.begin_run(self.id, self.plain()):
            raise ArtifactError(f"run {self.id} exists already; run again")

    def save(self, store: ArtifactStore, **changes: Any) -> "Run":  # noqa: ANN401
        """Write the record with some fields changed; returns that run."""
        run = replace(self, **changes)
        store.record_run(run.id, run.plain())
        return run

    def plain(self) -> dict[str, Any]:
        """The run as JSON knows it."""
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"format": FORMAT, **content}


def run_id(shop: str, number: int) -> str:
    """The id of a run."""
    return f"{shop}.{number}"


def find_run(store: ArtifactStore, number: int) -> Run | None:
    """The run of that number, None where there is no record of this format."""
    plain = store.run(run_id(store.shop, number))
    if plain is None or plain.get("format") != FORMAT:
        return None
    known = {f.name for f in fields(Run)}
    return Run(**{name: cast("Any", value) for name, value in plain.items() if name in known})


def require_run(store: ArtifactStore, number: int) -> Run:
    """The run of that number. Raises: ArtifactError where there is none."""
    run = find_run(store, number)
    if run is None:
        raise ArtifactError(f"there is no record of run {run_id(store.shop, number)}")
    return run


def all_runs(store: ArtifactStore) -> list[Run]:
    """All runs that have a record of this format, newest first."""
    found = (find_run(store, number) for number in store.runs())
    return [run for run in found if run is not None]
