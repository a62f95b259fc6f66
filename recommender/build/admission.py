"""Admission: the build of a run goes by the gates, or is held until someone approves it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recommender.artifacts.runs import Run, find_run
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import find_build, lists_with_ids
from recommender.build.gates import Gates, Measures, golden_faults, golden_pairs
from recommender.core.comparison import Comparison, compare
from recommender.core.generation import Generation
from recommender.core.lists import NamedLists
from recommender.errors import ArtifactError, GateHeld

MOST_JUMPS = 20


def gated(store: ArtifactStore, run: Run, gates: Gates, live: Generation | None) -> Run:
    """Let the build of a run pass, or hold it.

    Raises: GateHeld, with the reasons written into the run; DataError for a golden file.
    """
    build = find_build(store, run.build)
    built = {lists.lists.placement: lists for lists in lists_with_ids(store, build)}
    beside = _beside(store, live, built)
    reasons = gates.faults(Measures(**run.measures), beside.measures, beside.overlap)
    reasons += golden_faults(golden_pairs(gates.golden), built)
    if beside.jumps:
        run = run.save(store, jumps=beside.jumps)
    if not reasons:
        return run
    run.save(store, state="held", held=reasons)
    raise GateHeld(
        f"{'; '.join(reasons)}; what is live stays live. Look with recommender diff live "
        f"{run.number}, then recommender approve {run.number}, or mend the input"
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of the live generation, and what a build does to its lists.

    `overlap` is the share of first tens that stays; `jumps` are items that entered the first five
    of many lists.
    """

    measures: Measures | None = None
    overlap: float | None = None
    jumps: tuple[Mapping[str, Any], ...] = ()


def _beside(
    store: ArtifactStore, live: Generation | None, built: Mapping[str, NamedLists]
) -> Beside:
    """Where the artifacts of the live generation are gone, what Redis knows must do."""
    if live is None:
        return Beside()
    try:
        build = find_build(store, live.lists_key)
        before = lists_with_ids(store, build)
    except ArtifactError:
        return Beside(Measures(live.n_items, 0, live.n_entries, 0, 0))
    run = find_run(store, live.id)
    measures = Measures(**(run.measures if run and run.measures else build.summary["measures"]))
    overlaps: list[float] = []
    jumps: list[Mapping[str, Any]] = []
    for old in before:
        name = old.lists.placement
        if name in built:
            compared = compare(old, built[name])
            overlaps.append(compared.overlap)
            jumps += _jumps(compared, built[name])
    return Beside(measures, min(overlaps, default=None), tuple(jumps))


def _jumps(compared: Comparison, new: NamedLists) -> list[Mapping[str, Any]]:
    return [
        {
            "placement": new.lists.placement,
            "item": new.ids.ids[row],
            "before": int(compared.links_before[row]),
            "after": int(compared.links_after[row]),
        }
        for row in compared.jumped[:MOST_JUMPS].tolist()
    ]
