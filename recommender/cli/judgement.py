"""What `recommender evaluate` prints: who was judged, slice by slice, and against whom."""

from recommender.cli.terminal import console, table
from recommender.evaluation.bar import worst_slice
from recommender.evaluation.experiments import Evaluation
from recommender.evaluation.intervals import Interval
from recommender.evaluation.report import Judged
from recommender.evaluation.slices import ALL, CATEGORY, COLD

NARROW = 24
MOST_SLICES = 6


def show(evaluation: Evaluation) -> None:
    """Print the tables of an evaluation, at most 100 columns wide."""
    shown = console()
    shown.print(heading(evaluation), markup=False)
    shown.print()
    shown.print(_overall(evaluation.judged))
    shown.print()
    shown.print("NDCG@10 by slice", style="bold")
    shown.print(_slices(evaluation))
    if any(name.startswith(CATEGORY) for name in evaluation.sizes):
        shown.print()
        shown.print("NDCG@10 by category", style="bold")
        shown.print(_categories(evaluation))
    shown.print()
    ours = evaluation.judged[0].name
    shown.print(f"NDCG@10 of {ours} minus theirs, with 95 % interval", style="bold", markup=False)
    shown.print(_differences(evaluation))
    shown.print()
    shown.print(verdict(evaluation), markup=False)
    for note in evaluation.notes:
        shown.print(f"Note: {note}.", markup=False)


def heading(evaluation: Evaluation) -> str:
    """What was judged on, in a sentence or two."""
    bench, protocol = evaluation.bench, evaluation.protocol
    window = f"{protocol['window']} window"
    learned = f"{len(bench.window.train):,} events to learn from"
    if protocol["name"] == "next-item":
        data = bench.plain()
        text = (
            f"Next-item protocol, {window}: {len(bench.queries):,} users "
            f"({data['left_out_users']:,} without a history or anything new left out), {learned}."
        )
    else:
        text = (
            f"Basket protocol, {window}: {len(bench.queries):,} queries of "
            f"{len(bench.window.baskets):,} baskets ({bench.window.left_out:,} of more than 100 "
            f"items left out), {learned}."
        )
    uses = protocol.get("test_uses")
    if uses is None:
        return text
    return f"{text}\nThe test window was used {uses:,} time{'s' if uses > 1 else ''} so far."


def verdict(evaluation: Evaluation) -> str:
    """Whether the recipe clears the bar, and where it does not."""
    ours = evaluation.judged[0].name
    if not evaluation.shortfalls:
        return f"{ours} clears the bar: above every baseline, below none on any large slice."
    return "\n".join([f"{ours} misses the bar:", *(f"- {one}" for one in evaluation.shortfalls)])


def _overall(judged: tuple[Judged, ...]) -> object:
    rows = []
    for one in judged:
        metrics = one.slices[ALL].metrics
        rows.append(
            (
                _short(one.name),
                *(_figure(metrics[name].value) for name in ("hit_rate", "ndcg")),
                _range(metrics["ndcg"]),
                *(_figure(metrics[name].value) for name in ("mrr", "recall")),
                *(_figure(one.lists[name]) for name in ("coverage", "gini")),
                f"{one.lists['novelty']:.1f}",
                _figure(one.lists["intra_list_similarity"]),
            )
        )
    names = ("hit@10", "NDCG@10", "95 %", "MRR", "recall", "coverage", "Gini", "novelty", "alike")
    return table([("lists from", "left"), *((name, "right") for name in names)], rows)


def _slices(evaluation: Evaluation) -> object:
    sizes = evaluation.sizes
    names = [name for name in sizes if name != ALL and not name.startswith(CATEGORY)]
    names = names[:MOST_SLICES]
    rows = [("queries", *(f"{sizes[name]:,}" for name in names))]
    for one in evaluation.judged:
        parts = [one.slices.get(name) for name in names]
        cells = [_figure(part.metrics["ndcg"].value) if part and part.n else "-" for part in parts]
        rows.append((_short(one.name), *cells))
    return table([("lists from", "left"), *((name, "right") for name in names)], rows)


def _categories(evaluation: Evaluation) -> object:
    ours, *others = evaluation.judged
    rows = []
    for name, n in evaluation.sizes.items():
        if not name.startswith(CATEGORY):
            continue
        best = max(others, key=lambda one: one.slices[name].metrics["ndcg"].value)
        mean = ours.slices[name].metrics["ndcg"]
        rows.append(
            (
                _short(name.removeprefix(CATEGORY)),
                f"{n:,}",
                _figure(mean.value),
                _range(mean),
                _short(best.name),
                _figure(best.slices[name].metrics["ndcg"].value),
            )
        )
    headings = [
        ("category", "left"),
        ("queries", "right"),
        (_short(ours.name), "right"),
        ("95 %", "right"),
        ("best of the others", "left"),
        ("NDCG", "right"),
    ]
    return table(headings, rows)


def _differences(evaluation: Evaluation) -> object:
    rows = []
    for name, parts in evaluation.differences.items():
        worst = worst_slice(parts, evaluation.sizes)
        cold = parts.get(COLD)
        rows.append(
            (
                _short(name),
                _signed(parts[ALL]),
                f"{_short(worst)} {_signed(parts[worst])}" if worst != ALL else "",
                _signed(cold) if cold else "",
            )
        )
    headings = [
        ("against", "left"),
        ("all", "left"),
        ("worst slice", "left"),
        (COLD, "left"),
    ]
    return table(headings, rows)


def _figure(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.3f}"


def _range(mean: Interval) -> str:
    return f"{_figure(mean.low)}-{_figure(mean.high)}"


def _signed(mean: Interval) -> str:
    low, value, high = (
        f"{number:+.3f}".replace("0.", ".", 1) for number in (mean.low, mean.value, mean.high)
    )
    return f"{value} ({low} {high})"


def _short(name: str) -> str:
    return name if len(name) <= NARROW else f"{name[: NARROW - 1]}…"
