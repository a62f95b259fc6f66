"""Gates: when a build may go live by itself, and when it is held until someone approves it."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from recommender.artifacts.runs import Run, find_run
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import find_build, lists_with_ids
from recommender.core.comparison import Comparison, compare
from recommender.core.generation import Generation, Measures
from recommender.core.lists import NamedLists
from recommender.errors import ArtifactError, DataError, GateHeld

MOST_JUMPS = 20
SHOWN_FAULTS = 3


@dataclass(frozen=True, slots=True)
class GoldenPair:
    """An item that must, or must never, be in another item's list."""

    line: int
    item: str
    related: str
    expected: Literal["must", "never"]
    placement: str = ""


@dataclass(frozen=True, slots=True)
class Gates:
    """What a build must have, compared with the live generation.

    Shares of what the live generation has: `items_share_min`, `events_share_min`,
    `entries_share_min` (per list), `coverage_share_min`. `filled_share_min`: the share of all lists
    that must have an entry (not asked of a catalogue with one item). `overlap_min`: of the first
    ten entries, the mean share that must stay. `golden`: a CSV file with the columns item, related,
    expected (must or never) and, if wanted, placement. `ndcg_drop_max`: how much lower, as a share,
    the offline NDCG may be than the live generation's; 0 measures nothing, which saves time.

    Raises: ValueError where a share is not in 0..1.
    """

    items_share_min: float = 0.5
    events_share_min: float = 0.5
    entries_share_min: float = 0.5
    coverage_share_min: float = 0.5
    filled_share_min: float = 0.5
    overlap_min: float = 0.2
    golden: str = ""
    ndcg_drop_max: float = 0.0

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name != "golden"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} is not in 0..1")

    def faults(
        self, build: Measures, live: Measures | None = None, overlap: float | None = None
    ) -> tuple[str, ...]:
        """Why a build may not go live by itself: with figure, bound and gate."""
        found = []
        if build.n_items > 1 and build.filled_share < self.filled_share_min:
            found.append(
                f"only {build.filled_share:.0%} of the lists have an entry, "
                f"gates.filled_share_min is {self.filled_share_min:.0%}"
            )
        if live is not None:
            found += self._shrunk(build, live)
        if overlap is not None and overlap < self.overlap_min:
            found.append(
                f"only {overlap:.0%} of the first ten entries are those of the live lists, "
                f"gates.overlap_min is {self.overlap_min:.0%}"
            )
        return tuple(found)

    def _shrunk(self, build: Measures, live: Measures) -> Iterator[str]:
        shares = (
            ("items", ",", build.n_items, live.n_items, "items_share_min"),
            ("interactions", ",", build.n_events, live.n_events, "events_share_min"),
            ("entries a list", ".1f", build.list_length, live.list_length, "entries_share_min"),
        )
        for what, form, now, before, name in shares:
            if now < getattr(self, name) * before:
                yield (
                    f"{now:{form}} {what}, the live generation has {before:{form}} and "
                    f"gates.{name} is {getattr(self, name):.0%}"
                )
        if build.coverage < self.coverage_share_min * live.coverage:
            yield (
                f"{build.coverage:.0%} of the items are in a list, of the live generation's "
                f"{live.coverage:.0%}; gates.coverage_share_min is {self.coverage_share_min:.0%}"
            )
        yield from self._worse(build, live)

    def _worse(self, build: Measures, live: Measures) -> Iterator[str]:
        if not self.ndcg_drop_max or build.ndcg is None or live.ndcg is None:
            return
        if build.ndcg < live.ndcg * (1 - self.ndcg_drop_max):
            yield (
                f"offline NDCG@10 is {build.ndcg:.4f}, the live generation's {live.ndcg:.4f}; "
                f"gates.ndcg_drop_max is {self.ndcg_drop_max:.0%}"
            )


def golden_pairs(path: str) -> list[GoldenPair]:
    """The pairs of a CSV file, none where `path` is empty.

    Raises: DataError where the file is unreadable or a row is wrong, naming the line.
    """
    if not path:
        return []
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = set(reader.fieldnames or ())
            if not {"item", "related", "expected"} <= columns:
                raise DataError(f"gates.golden: {path} needs the columns item, related, expected")
            return [_pair(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"gates.golden: {path} cannot be read: {error}") from error


def golden_faults(pairs: Sequence[GoldenPair], built: Mapping[str, NamedLists]) -> tuple[str, ...]:
    """Report the pairs that the lists of a build, by placement, break; the first few are named.

    A pair without a placement holds for all of them.
    """
    broken = [
        f"line {pair.line}: there is no placement {pair.placement!r:.40}"
        for pair in pairs
        if pair.placement and pair.placement not in built
    ]
    broken += [
        f"line {pair.line}: {reason}"
        for pair in pairs
        for name, lists in built.items()
        if pair.placement in {"", name} and (reason := _broken(pair, name, lists))
    ]
    if not broken:
        return ()
    more = f" and {len(broken) - SHOWN_FAULTS} more" if len(broken) > SHOWN_FAULTS else ""
    return (f"golden pairs: {'; '.join(broken[:SHOWN_FAULTS])}{more}",)


Jump = Mapping[str, Any]
"""An item that entered the first five of many lists: how many before and after, in a placement."""


def gated(store: ArtifactStore, run: Run, gates: Gates, live: Generation | None) -> Run:
    """Let the build of a run pass the gates, or hold it.

    Raises: GateHeld, with the reasons written into the run; DataError for a golden file.
    """
    build = find_build(store, run.build)
    built = {lists.lists.placement: lists for lists in lists_with_ids(store, build)}
    measures, overlap, jumps = _compared(store, live, built)
    reasons = gates.faults(Measures(**run.measures), measures, overlap)
    reasons += golden_faults(golden_pairs(gates.golden), built)
    if jumps:
        run = run.save(store, jumps=tuple(jumps))
    if not reasons:
        return run
    run.save(store, state="held", held=reasons)
    raise GateHeld(
        f"{'; '.join(reasons)}; what is live stays live. Look with recommender diff live "
        f"{run.number}, then recommender approve {run.number}, or correct the input"
    )


def _compared(
    store: ArtifactStore, live: Generation | None, built: Mapping[str, NamedLists]
) -> tuple[Measures | None, float | None, list[Jump]]:
    """The live generation's measures, the share of first tens that stays, and the jumps.

    Without the artifacts of the live generation, what Redis knows of it is used.
    """
    if live is None:
        return None, None, []
    try:
        build = find_build(store, live.lists_key)
        before = lists_with_ids(store, build)
    except ArtifactError:
        return Measures(live.n_items, 0, live.n_entries, 0, 0), None, []
    run = find_run(store, live.id)
    measures = Measures(**(run.measures if run and run.measures else build.summary["measures"]))
    overlaps: list[float] = []
    jumps: list[Jump] = []
    for old in before:
        name = old.lists.placement
        if name in built:
            comparison = compare(old, built[name])
            overlaps.append(comparison.overlap)
            jumps += _jumps(comparison, built[name])
    return measures, min(overlaps, default=None), jumps


def _jumps(compared: Comparison, new: NamedLists) -> list[Jump]:
    return [
        {
            "placement": new.lists.placement,
            "item": new.ids.ids[row],
            "before": int(compared.links_before[row]),
            "after": int(compared.links_after[row]),
        }
        for row in compared.jumped[:MOST_JUMPS].tolist()
    ]


def _pair(path: str, line: int, row: Mapping[str | None, str | None]) -> GoldenPair:
    item, related = (row.get("item") or "").strip(), (row.get("related") or "").strip()
    expected = (row.get("expected") or "").strip()
    if not item or not related or None in row:
        raise DataError(f"gates.golden: {path} line {line}: give item, related and expected")
    if expected not in {"must", "never"}:
        raise DataError(
            f"gates.golden: {path} line {line}: expected {expected!r:.40} is not must or never"
        )
    kind: Literal["must", "never"] = "must" if expected == "must" else "never"
    return GoldenPair(line, item, related, kind, (row.get("placement") or "").strip())


def _broken(pair: GoldenPair, placement: str, built: NamedLists) -> str | None:
    gone = [item for item in (pair.item, pair.related) if item not in built.ids]
    if gone:
        return f"item {gone[0]!r} is not in the catalogue" if pair.expected == "must" else None
    row, lists = built.ids.row(pair.item), built.lists
    stands = bool((lists.of(row).rows == built.ids.row(pair.related)).any())
    if stands == (pair.expected == "must"):
        return None
    verb = "does not stand" if pair.expected == "must" else "stands"
    return f"{pair.related!r} {verb} in the {placement} list of {pair.item!r}"
