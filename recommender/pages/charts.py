"""Pages with charts: the report of an evaluation, and the map of clusters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from recommender.core.arrays import FloatMatrix, Rows
from recommender.evaluation.experiments import Evaluation, heading, verdict
from recommender.evaluation.metrics import Interval, shown_times
from recommender.evaluation.report import CATEGORY, SystemResult
from recommender.evaluation.user_protocols import NextItemTask
from recommender.insights.clusters import Clusters
from recommender.pages.rendering import render

SUPPORT_EDGES = (0, 1, 5, 20, 50, 200, 500)
EXAMPLES, SHOWN, REMEMBERED = 8, 8, 4
TITLE_LENGTH, TYPICAL = 160, 4
WIDEST = 3
"""A scale of differences reaches to this many times their median."""
Chart = dict[str, Any]


def evaluation_page(shop: str, evaluation: Evaluation) -> str:
    """The page of `recommender evaluate --html`: figures by slice, charts and example lists."""
    ours, *others = evaluation.results
    best = max(others, key=lambda one: one.ndcg().value)
    next_item = isinstance(evaluation.harness.task, NextItemTask)
    return render(
        "evaluation.html",
        styles=("uplot.min.css", "charts.css"),
        scripts=("uplot.min.js", "charts.js"),
        title=f"Evaluation of {shop}",
        heading=heading(evaluation),
        notes=evaluation.notes,
        missed=bool(evaluation.shortfalls),
        verdict=verdict(evaluation).splitlines(),
        ours=ours.name,
        best=best.name,
        results=evaluation.results,
        by_slice=_by_slice(evaluation, lambda part: not part.startswith(CATEGORY)),
        by_category=_by_slice(evaluation, lambda part: part.startswith(CATEGORY)),
        differences=_differences(evaluation),
        coverage=_coverage(evaluation),
        popularity=_popularity(evaluation, (ours, best)),
        about_examples="Users drawn at random."
        if next_item
        else "Items drawn at random over the whole range of support.",
        examples=list(_examples(evaluation, (ours, best))),
        seed=evaluation.protocol["seed"],
        recipe=str(evaluation.protocol["recipe"])[:12],
    )


def interval_chart(
    title: str, n_queries: int, means: Mapping[str, Interval], *, ours: str = "", signed: bool
) -> Chart:
    """The data of a chart with a dot and an interval for each mean, by name.

    The scale begins at 0 unless `signed`. A row's state is `ours`, or for signed means `better` or
    `worse` where the whole interval lies on one side of 0, or `other`.
    """
    low, high = _scale(list(means.values()), signed=signed)
    rows = [
        {
            "name": name,
            **mean.plain(),
            "state": "ours" if name == ours else _state(mean) if signed else "other",
        }
        for name, mean in means.items()
    ]
    return {
        "heading": title,
        "n_queries": n_queries,
        "signed": signed,
        "low": low,
        "high": high,
        "rows": rows,
    }


def _scale(means: list[Interval], *, signed: bool) -> tuple[float, float]:
    """The ends of a scale; a signed one ends at three times the median of the values."""
    high = max([one.high for one in means] + [0.001])
    if not signed:
        return 0.0, high
    wide = WIDEST * median([abs(one.value) for one in means] or [0.0]) + 0.001
    low = min([one.low for one in means] + [0.0])
    return max(low, -wide), min(high, wide)


def _state(mean: Interval) -> str:
    if mean.low > 0:
        return "better"
    return "worse" if mean.high < 0 else "other"


def _by_slice(evaluation: Evaluation, wanted: Callable[[str], bool]) -> list[Chart]:
    ours = evaluation.results[0].name
    return [
        interval_chart(
            part.removeprefix(CATEGORY),
            n,
            {one.name: one.ndcg(part) for one in evaluation.results if part in one.slices},
            ours=ours,
            signed=False,
        )
        for part, n in evaluation.sizes.items()
        if n and wanted(part)
    ]


def _differences(evaluation: Evaluation) -> list[Chart]:
    return [
        interval_chart(
            part,
            n,
            {name: parts[part] for name, parts in evaluation.differences.items() if part in parts},
            signed=True,
        )
        for part, n in evaluation.sizes.items()
        if n and not part.startswith(CATEGORY)
    ]


def _coverage(evaluation: Evaluation) -> Chart:
    ours = evaluation.results[0]
    lines = [
        {"name": one.name, "values": one.curve, "emphasised": one is ours}
        for one in evaluation.results
    ]
    return {"unit": "entries", "lines": lines}


def _popularity(evaluation: Evaluation, both: tuple[SystemResult, SystemResult]) -> Chart:
    """Shares of the catalogue and of the places in lists, by groups of support."""
    support = evaluation.harness.beyond.support
    group = np.searchsorted(SUPPORT_EDGES, support, side="right") - 1
    n_items = len(support)

    def bar(name: str, weights: np.ndarray) -> dict[str, object]:
        counts = np.bincount(group, weights, len(SUPPORT_EDGES))
        return {"name": name, "values": (counts / max(counts.sum(), 1)).tolist()}

    ends = [
        f"{edge}" if edge == after - 1 else f"{edge} to {after - 1}"
        for edge, after in pairwise(SUPPORT_EDGES)
    ]
    shown = [bar(one.name, shown_times(one.top, n_items)) for one in both]
    return {
        "groups": [*ends, f"from {SUPPORT_EDGES[-1]}"],
        "bars": [bar("catalogue", np.ones(n_items)), *shown],
    }


def _examples(
    evaluation: Evaluation, both: tuple[SystemResult, SystemResult]
) -> Iterator[dict[str, object]]:
    """Queries drawn at random, with the first entries of two lists and whether they were taken."""
    harness = evaluation.harness
    queries, titles = harness.queries, _titles(evaluation)
    drawn = np.random.default_rng(evaluation.protocol["seed"]).permutation(len(queries))
    if not isinstance(harness.task, NextItemTask):
        support = harness.beyond.support[queries.row[drawn]]
        drawn = drawn[np.argsort(support, kind="stable")]
    places = np.linspace(0, len(drawn) - 1, min(EXAMPLES, len(drawn))).astype(int)
    for query in drawn[places].tolist():
        start, end = queries.offsets[query], queries.offsets[query + 1]
        taken = frozenset(queries.relevant[start:end].tolist())
        lists = []
        for one in both:
            shown = one.top[queries.row[query]][:SHOWN]
            entries = [(titles(row), row in taken) for row in shown[shown >= 0].tolist()]
            lists.append((one.name, entries))
        asked, note = _asked(evaluation, int(queries.row[query]))
        yield {"asked": asked, "note": note, "lists": lists}


def _asked(evaluation: Evaluation, row: int) -> tuple[str, str]:
    """The title of the asking item and its support, or a user's last items and their number."""
    harness, titles = evaluation.harness, _titles(evaluation)
    if not isinstance(harness.task, NextItemTask):
        n = int(harness.beyond.support[row])
        return titles(row), f"{n:,} basket{'' if n == 1 else 's'}"
    taken = harness.task.history.item[harness.task.history.user == row]
    last = "; ".join(titles(item) for item in taken[::-1][:REMEMBERED].tolist())
    return last, f"last of {len(taken):,}"


def _titles(evaluation: Evaluation) -> Callable[[int], str]:
    catalogue = evaluation.harness.catalogue
    return lambda row: catalogue.title[row] or catalogue.ids.ids[row]


def cluster_page(
    name: str,
    ids: Sequence[str],
    titles: Sequence[str],
    clusters: Clusters,
    rows: Rows,
    places: FloatMatrix,
) -> str:
    """The page of `recommender cluster --html`: a map of all groups.

    Args:
        name: of the shop or table.
        ids: item ids of the drawn items (m,).
        titles: of all items (n,).
        clusters: the groups.
        rows: which items are drawn (m,).
        places: where they are drawn (m, 2), in a square of side 2 around 0.

    """
    points = [
        [round(x, 4), round(y, 4), label, item, titles[row][:TITLE_LENGTH]]
        for (x, y), label, item, row in zip(
            places.tolist(), clusters.label[rows].tolist(), ids, rows.tolist(), strict=True
        )
    ]
    sizes = [len(group.rows) for group in clusters.groups]
    data = {
        "names": [group.name for group in clusters.groups],
        "sizes": sizes,
        "examples": [
            "; ".join(dict.fromkeys(titles[row] for row in group.rows[:TYPICAL].tolist()))
            for group in clusters.groups
        ],
        "points": points,
    }
    return render(
        "cluster_map.html",
        styles=("cluster_map.css",),
        scripts=("cluster_map.js",),
        title=f"{name}: groups",
        name=name,
        n_items=sum(sizes),
        n_groups=len(clusters.groups),
        n_drawn=len(points),
        data=data,
    )
