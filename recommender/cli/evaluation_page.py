"""The page that `recommender evaluate --html` writes: one file, nothing loaded from anywhere."""

from collections.abc import Iterator
from html import escape
from itertools import pairwise

import numpy as np

from recommender.cli.judgement import heading, verdict
from recommender.evaluation.charts import bars, curves, dot_grid
from recommender.evaluation.experiments import Evaluation
from recommender.evaluation.intervals import Interval
from recommender.evaluation.metrics import shown_times
from recommender.evaluation.next_item import Histories
from recommender.evaluation.report import Judged
from recommender.evaluation.slices import CATEGORY

SUPPORT_EDGES = (0, 1, 5, 20, 50, 200, 500)
EXAMPLES, SHOWN, REMEMBERED = 8, 8, 4
STYLE = """
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color:#1f2933;
background:#fff;max-width:1000px;margin:40px auto;padding:0 24px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:18px;margin:44px 0 6px}
p{margin:6px 0 12px;color:#46525e;max-width:76ch}svg{display:block;max-width:100%;height:auto}
.verdict{border-left:4px solid #0072b2;padding:8px 14px;background:#f3f7fa;white-space:pre-line}
.missed{border-color:#d55e00;background:#fdf5f0}
table{border-collapse:collapse;width:100%;margin:10px 0}td,th{padding:3px 10px 3px 0;
text-align:right;font-variant-numeric:tabular-nums}td:first-child,th:first-child{text-align:left}
th{border-bottom:1px solid #c3cad1;font-weight:600}tr.ours td{font-weight:600;color:#0072b2}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:4px 32px;border-top:1px solid #e3e7eb;
padding:12px 0}.pair h3{grid-column:1/-1;font-size:15px;margin:0}.pair h3 span,.pair h4{
color:#66727f;font-weight:400}.pair h4{margin:0;font-size:13px}ol{margin:0;padding-left:24px;
font-size:13px}li.found{font-weight:600}li.found::after{content:" \\2713";color:#009e73}
footer{margin:44px 0;color:#66727f;font-size:13px}
"""


def page(shop: str, evaluation: Evaluation) -> str:
    """The whole page as HTML."""
    title = escape(f"Evaluation of {shop}")
    missed = " missed" if evaluation.shortfalls else ""
    body = "\n".join(
        f"<h2>{escape(name)}</h2><p>{escape(told)}</p>{content}"
        for name, told, content in _sections(evaluation)
    )
    notes = "".join(f"<p>Note: {escape(note)}.</p>" for note in evaluation.notes)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{escape(heading(evaluation))}</p>{notes}"
        f'<div class="verdict{missed}">{escape(verdict(evaluation))}</div>{body}'
        f"<footer>Seed {evaluation.protocol['seed']}, recipe "
        f"{escape(str(evaluation.protocol['recipe'])[:12])}. Intervals are 95 %, by bootstrap."
        "</footer></body></html>\n"
    )


def _sections(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    ours, *others = evaluation.judged
    best = max(others, key=lambda one: one.slices["all"].metrics["ndcg"].value)
    yield "Overall", "The ten that each shows first.", _table(evaluation)
    yield (
        "NDCG@10 by slice",
        "Dots are means, lines their intervals. Each slice has its own scale from 0.",
        _by_slice(evaluation, categories=False),
    )
    if any(name.startswith(CATEGORY) for name in evaluation.sizes):
        yield "NDCG@10 by category", "", _by_slice(evaluation, categories=True)
    yield (
        f"{ours.name} minus the others",
        "NDCG@10, query by query. Right of the line is better; where the whole interval lies on "
        "one side, it is blue or orange. Arrows lie beyond the scale.",
        _forest(evaluation),
    )
    yield (
        "Coverage",
        "Share of the catalogue that is shown by the first 1 to 10 entries.",
        curves({one.name: one.curve for one in evaluation.judged}, ours.name),
    )
    yield (
        "Popularity of what is shown",
        "Items by the number of baskets that hold them: their share of the catalogue, and of the "
        "places in the lists.",
        _popularity(evaluation, ours, best),
    )
    yield (
        f"Examples: {ours.name} beside {best.name}",
        "Drawn at random over the whole range of support. A tick marks what was then taken.",
        "".join(_examples(evaluation, ours, best)),
    )


def _table(evaluation: Evaluation) -> str:
    names = ("hit rate", "NDCG", "95 %", "MRR", "recall", "coverage", "Gini", "novelty", "alike")
    head = "".join(f"<th>{name}</th>" for name in ("", *names))
    rows = []
    for place, one in enumerate(evaluation.judged):
        metrics = one.slices["all"].metrics
        ndcg = metrics["ndcg"]
        cells = [
            escape(one.name),
            *(f"{metrics[name].value:.3f}" for name in ("hit_rate", "ndcg")),
            f"{ndcg.low:.3f} to {ndcg.high:.3f}",
            *(f"{metrics[name].value:.3f}" for name in ("mrr", "recall")),
            *(f"{one.lists[name]:.3f}" for name in ("coverage", "gini")),
            f"{one.lists['novelty']:.1f}",
            f"{one.lists['intra_list_similarity']:.3f}",
        ]
        ours = "" if place else ' class="ours"'
        rows.append(f"<tr{ours}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _by_slice(evaluation: Evaluation, *, categories: bool) -> str:
    names = [one.name for one in evaluation.judged]
    columns = {
        _heading(part, n): {
            one.name: one.slices[part].metrics["ndcg"]
            for one in evaluation.judged
            if part in one.slices
        }
        for part, n in evaluation.sizes.items()
        if n and part.startswith(CATEGORY) == categories
    }
    return _in_rows(names, columns, names[0], signed=False)


def _forest(evaluation: Evaluation) -> str:
    columns = {
        _heading(part, n): {
            name: parts[part] for name, parts in evaluation.differences.items() if part in parts
        }
        for part, n in evaluation.sizes.items()
        if n and not part.startswith(CATEGORY)
    }
    return _in_rows(list(evaluation.differences), columns, "", signed=True)


def _in_rows(
    names: list[str], columns: dict[str, dict[str, Interval]], ours: str, *, signed: bool
) -> str:
    """At most six panels beside each other."""
    every = list(columns.items())
    return "".join(
        dot_grid(names, dict(every[start : start + 6]), emphasised=ours, signed=signed)
        for start in range(0, len(every), 6)
    )


def _heading(part: str, n: int) -> str:
    return f"{part.removeprefix(CATEGORY)}\n{n:,} queries"


def _popularity(evaluation: Evaluation, ours: Judged, best: Judged) -> str:
    support = evaluation.bench.shelf.support
    group = np.searchsorted(SUPPORT_EDGES, support, side="right") - 1
    n_items, n_groups = len(support), len(SUPPORT_EDGES)

    def shares(weights: np.ndarray) -> list[float]:
        found = np.bincount(group, weights, n_groups)
        return [float(share) for share in found / max(found.sum(), 1)]

    ends = [f"{edge:,}" if edge == last else f"{edge:,} to {last:,}" for edge, last in _edges()]
    named = {"catalogue": shares(np.ones(n_items))}
    named |= {one.name: shares(shown_times(one.top, n_items)) for one in (ours, best)}
    return bars([*ends, f"from {SUPPORT_EDGES[-1]:,}"], named)


def _edges() -> Iterator[tuple[int, int]]:
    for edge, after in pairwise(SUPPORT_EDGES):
        yield edge, after - 1


def _examples(evaluation: Evaluation, ours: Judged, best: Judged) -> Iterator[str]:
    bench = evaluation.bench
    queries = bench.queries
    support = bench.shelf.support
    rng = np.random.default_rng(evaluation.protocol["seed"])
    drawn = rng.permutation(len(queries))
    if not isinstance(bench.questions, Histories):
        drawn = drawn[np.argsort(support[queries.row[drawn]], kind="stable")]
    places = np.linspace(0, len(drawn) - 1, min(EXAMPLES, len(drawn))).astype(int)
    for query in drawn[places].tolist():
        start, end = queries.offsets[query], queries.offsets[query + 1]
        wanted = frozenset(queries.relevant[start:end].tolist())
        sides = "".join(
            f"<div><h4>{escape(one.name)}</h4>{_list(evaluation, one, query, wanted)}</div>"
            for one in (ours, best)
        )
        yield f'<div class="pair"><h3>{_asked(evaluation, query)}</h3>{sides}</div>'


def _asked(evaluation: Evaluation, query: int) -> str:
    bench = evaluation.bench
    row = int(bench.queries.row[query])
    if not isinstance(bench.questions, Histories):
        told = f"{bench.shelf.support[row]:,.0f} baskets"
        return f"{escape(_title(evaluation, row))} <span>{told}</span>"
    taken = bench.questions.steps.item[bench.questions.steps.holder == row]
    last = "; ".join(_title(evaluation, item) for item in taken[::-1][:REMEMBERED].tolist())
    return f"{escape(last)} <span>last of {len(taken):,}</span>"


def _list(evaluation: Evaluation, one: Judged, query: int, wanted: frozenset[int]) -> str:
    shown = one.top[evaluation.bench.queries.row[query]][:SHOWN]
    entries = "".join(
        f"<li{' class=found' if row in wanted else ''}>{escape(_title(evaluation, row))}</li>"
        for row in shown[shown >= 0].tolist()
    )
    return f"<ol>{entries}</ol>" if entries else "<p>no list</p>"


def _title(evaluation: Evaluation, row: int) -> str:
    catalogue = evaluation.bench.catalogue
    return catalogue.title[row] or catalogue.ids.ids[row]
