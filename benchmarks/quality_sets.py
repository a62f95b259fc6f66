"""The default recipe and all baselines on every set: `python -m benchmarks.quality_sets DATA`.

    python -m benchmarks.quality_sets DATA [--test | --hub-curve] [--only NAME ...] [--out FOLDER]

`DATA` is the folder of the sets; Complete Journey comes from its package. Prints a Markdown table
for each set and placement, for benchmarks/quality.md. Without `--test` only validation windows are
read; each use of a test window is counted in the folder `--out`, where artifacts are kept as well.
`--hub-curve` shows what the bound on hubs costs, from a bound of 1 % to none.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.quality import line
from data_fixtures import complete_journey
from recommender.build.job import Job
from recommender.core.telemetry import silent
from recommender.evaluation.experiments import Evaluation, evaluate, heading
from recommender.evaluation.harness import EvaluationPlan, ProtocolName, prepare_harness
from recommender.evaluation.metrics import Interval
from recommender.evaluation.report import ALL, COLD
from recommender.evaluation.systems import bounded_lists, choosers, unbounded_lists
from recommender.settings.loading import load

HEADINGS = (
    *("lists from", "NDCG@10", "debiased", "recall@10", "cold", "hub share", "coverage@12"),
    *("default minus it", "the same, debiased"),
)
SHARES = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 1.0)
ORDERS = """
[interactions]
path = "{data}/online_retail/online_retail.csv.gz"
quantity_above = 0
price_above = 0
item_pattern = '\\d{{5}}'
cancelled = {{ column = "InvoiceNo", pattern = "C" }}
time_zone = "Europe/London"
columns = {{ item = "StockCode", basket = "InvoiceNo", user = "CustomerID", time = "InvoiceDate", \
quantity = "Quantity", price = "UnitPrice", title = "Description" }}

[evaluation]
test_from = 2011-11-09
"""
CLICKS = """
[interactions]
path = "{data}/yoochoose/events.csv.gz"
columns = {{ item = "item_id", session = "session_id", kind = "kind", time = "time" }}
weights = {{ view = 1.0 }}

[evaluation]
days = 1
"""
GROCERIES = """
[catalogue]
path = "{data}/groceries/products.csv"
columns = {{ item = "item_id", title = "title", category = "category" }}

[interactions]
path = "{data}/groceries/orders.csv.gz"
columns = {{ item = "item_id", basket = "order_id", time = "time" }}
"""
REVIEWS = """
[catalogue]
path = "{data}/amazon_sports/items.csv.gz"
columns = {{ item = "item", title = "words" }}

[interactions]
path = "{data}/amazon_sports/events.csv.gz"
columns = {{ item = "item", user = "user", time = "day" }}
"""
JOURNEY = """
[catalogue]
path = "{out}/journey/catalogue.parquet"
scope = "with_interactions"
columns = {{ item = "product_id", title = ["product_category", "product_type", "package_size"], \
brand = "brand", category = ["department", "product_category"] }}

[interactions]
path = "{out}/journey/orders.parquet"
columns = {{ item = "product_id", basket = "basket_id", user = "household_id", time = "time", \
quantity = "quantity" }}
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """A set, the placement of a recipe that is tried on it, and how."""

    settings: str
    placement: str
    protocol: ProtocolName = "basket"
    recipe: str = "default"


TRIALS = {
    "online_retail related": Trial(ORDERS, "related"),
    "online_retail next": Trial(ORDERS, "next", "next-item"),
    "yoochoose related": Trial(CLICKS, "related"),
    "yoochoose also_viewed": Trial(CLICKS, "also_viewed", recipe="placements"),
    "groceries related": Trial(GROCERIES, "related"),
    "amazon_sports next": Trial(REVIEWS, "next", "leave-one-out"),
    "complete_journey related": Trial(JOURNEY, "related"),
}


def main(arguments: Sequence[str]) -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description="The default recipe on every set.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--test", action="store_true", help="the test periods")
    parser.add_argument("--hub-curve", action="store_true", help="NDCG by bound on hubs")
    parser.add_argument("--only", action="append", default=[], help="trials, by part of the name")
    parser.add_argument("--folds", type=int, default=3, help="of simulated cold items (default 3)")
    parser.add_argument("--out", type=Path, help="keep artifacts and the log of test uses there")
    options = parser.parse_args(arguments)
    about = machine()
    sys.stdout.write(f"{about['processor']}, {about['cores']} cores, Python {about['python']}.\n")
    with _folder(options.out) as out:
        for name, trial in TRIALS.items():
            if options.only and not any(part in name for part in options.only):
                continue
            started = time.perf_counter()
            plan = EvaluationPlan(protocol=trial.protocol, test=options.test, folds=options.folds)
            job, plan = prepared(trial, plan, options.data.resolve(), out)
            sys.stdout.write(f"\n### {name}\n\n")
            if options.hub_curve:
                show_curve(job, plan)
            else:
                show(evaluate(job, plan))
            sys.stdout.write(f"\n{time.perf_counter() - started:,.0f} s.\n")


def prepared(
    trial: Trial, plan: EvaluationPlan, data: Path, out: Path
) -> tuple[Job, EvaluationPlan]:
    """The job of one trial, with its placement alone, and the plan for its period."""
    if trial.settings == JOURNEY and not (out / "journey").exists():
        complete_journey.write_full(complete_journey.load(), out / "journey")
    path = out / "recommender.toml"
    path.write_text(
        f'shop = "trial"\nrecipe = "{trial.recipe}"\n' + trial.settings.format(data=data, out=out),
        encoding="utf-8",
    )
    settings = load(path, [])
    job, evaluation = settings.job(), settings.evaluation
    job = replace(job, recipe=job.recipe.only([trial.placement]))
    return job, replace(plan, days=evaluation.days, test_from=evaluation.test_from_s())


def show_curve(job: Job, plan: EvaluationPlan) -> None:
    """Print what bounds on hubs cost: the same lists, arranged by each."""
    harness = prepare_harness(job, plan)
    made = choosers(job.recipe, harness.fixed(job.recipe), harness.window.train, silent)
    ((_, chooser),) = made
    n_items = len(harness.catalogue)
    wide = unbounded_lists(chooser, silent, np.arange(n_items, dtype=np.int32))
    headings = ("bound", "NDCG@10", "debiased", "hub share", "coverage@12")
    line(headings)
    line(["---"] * len(headings))
    for share in SHARES:
        placement = replace(chooser.placement, hub_share=share)
        lists = bounded_lists(wide, chooser.sold, placement, n_items)
        result = harness.evaluate_lists("lists", lists)
        metrics, beyond = result.slices[ALL].metrics, result.lists
        line(
            [
                f"{share:.0%}" if share < 1 else "none",
                *(f"{metrics[one].value:.4f}" for one in ("ndcg", "debiased_ndcg")),
                *(f"{beyond[one]:.3f}" for one in ("hub_share", "coverage_12")),
            ]
        )


def show(evaluation: Evaluation) -> None:
    """Print one table."""
    sys.stdout.write(f"{heading(evaluation)}\n\n")
    line(HEADINGS)
    line(["---"] * len(HEADINGS))
    for result in evaluation.results:
        metrics, lists = result.slices[ALL].metrics, result.lists
        cold = result.slices[COLD].metrics["ndcg"].value if COLD in result.slices else None
        differences = evaluation.differences.get(result.name, {}).get(ALL)
        line(
            [
                result.name,
                *(f"{metrics[one].value:.4f}" for one in ("ndcg", "debiased_ndcg", "recall")),
                "" if cold is None else f"{cold:.3f}",
                *(
                    f"{lists[one]:.3f}" if one in lists else ""
                    for one in ("hub_share", "coverage_12")
                ),
                _interval(differences),
                _interval(evaluation.debiased.get(result.name)),
            ]
        )


def _interval(found: Interval | None) -> str:
    return "" if found is None else f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


if __name__ == "__main__":
    main(sys.argv[1:])
