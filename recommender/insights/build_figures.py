"""Figures of the builds of a shop, run by run: items, coverage, hub share, short lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.artifacts.runs import Run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import BUILD, LISTS
from recommender.core.comparison import K
from recommender.core.lists import first_rows


@dataclass(frozen=True, slots=True)
class BuildFigures:
    """Figures of the build of a run; `created_at` is epoch seconds, 0 if it was never published.

    `hub_share` is by placement, the largest share of lists that show one item among their first
    ten; it is empty if the lists are gone. `short` counts the lists that are short.
    """

    number: int
    state: str
    created_at: int
    n_items: int
    n_events: int
    coverage: float
    ndcg: float | None
    short: int
    hub_share: Mapping[str, float]

    @property
    def largest_hub_share(self) -> float | None:
        """That of the placement that has the largest; None if no list is left."""
        return max(self.hub_share.values(), default=None)


def build_figures(artifacts: ArtifactStore, runs: Sequence[Run]) -> list[BuildFigures]:
    """The figures of those runs that made a build, the oldest first. Raises: ArtifactError."""
    return [_figures(artifacts, run) for run in reversed(runs) if run.measures]


def _figures(artifacts: ArtifactStore, run: Run) -> BuildFigures:
    build = artifacts.find(BUILD[0], run.build) if run.build else None
    short: Mapping[str, Mapping[str, int]] = run.report.get("health", {}).get("short", {})
    return BuildFigures(
        number=run.number,
        state=run.state,
        created_at=int(run.generation.get("created_at", 0)),
        n_items=int(run.measures["n_items"]),
        n_events=int(run.measures["n_events"]),
        coverage=float(run.measures["coverage"]),
        ndcg=run.measures.get("ndcg"),
        short=sum(found["lists"] for found in short.values()),
        hub_share={} if build is None else hub_shares(artifacts, build),
    )


def hub_shares(artifacts: ArtifactStore, build: Artifact) -> dict[str, float]:
    """The largest share of lists that show one item in their first ten, by placement.

    Placements whose lists are no longer there are left out.
    """
    n_items = int(build.summary["n_items"])
    shares = {}
    for placement, keys in build.summary["lists"].items():
        parts = [artifacts.find(LISTS[0], key) for key in keys]
        if any(part is None for part in parts):
            continue
        counts = np.zeros(n_items, dtype=np.int64)
        for part in filter(None, parts):
            columns = part.columns("sizes", "rows")
            first = first_rows(columns["sizes"], columns["rows"], K)
            counts += np.bincount(first[first >= 0], minlength=n_items)
        shares[str(placement)] = float(counts.max(initial=0)) / max(1, n_items)
    return shares
