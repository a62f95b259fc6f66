"""Admission: the build of a run goes by the gates, or is held until someone approves it."""

from collections.abc import Mapping

from recommender.artifacts import ArtifactStore
from recommender.builds import find_build, lists_with_ids
from recommender.comparison import Lists, compare
from recommender.errors import ArtifactError, GateHeld
from recommender.gates import Gates, Measures, golden_faults, golden_pairs
from recommender.generation import Generation
from recommender.runs import Run, find_run


def gated(store: ArtifactStore, run: Run, gates: Gates, live: Generation | None) -> Run:
    """Let the build of a run pass, or hold it.

    Raises: GateHeld, with the reasons written into the run; DataError for a golden file.
    """
    build = find_build(store, run.build)
    built = {lists.lists.placement: lists for lists in lists_with_ids(store, build)}
    before, overlap = _beside(store, live, built)
    reasons = gates.faults(Measures(**run.measures), before, overlap)
    reasons += golden_faults(golden_pairs(gates.golden), built)
    if not reasons:
        return run
    run.save(store, state="held", held=reasons)
    raise GateHeld(
        f"{'; '.join(reasons)}; what is live stays live. Look with recommender diff live "
        f"{run.number}, then recommender approve {run.number}, or mend the input"
    )


def _beside(
    store: ArtifactStore, live: Generation | None, built: Mapping[str, Lists]
) -> tuple[Measures | None, float | None]:
    """What is known of the live generation, and the share of its first tens that stays.

    Where its artifacts are gone, what Redis knows must do.
    """
    if live is None:
        return None, None
    try:
        build = find_build(store, live.lists_key)
        before = lists_with_ids(store, build)
    except ArtifactError:
        return Measures(live.n_items, 0, live.n_entries, 0, 0), None
    run = find_run(store, live.id)
    measures = Measures(**(run.measures if run and run.measures else build.summary["measures"]))
    overlaps = [
        compare(old, built[old.lists.placement]).overlap
        for old in before
        if old.lists.placement in built
    ]
    return measures, min(overlaps, default=None)
