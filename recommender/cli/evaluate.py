"""`recommender evaluate`."""

import argparse
import json
import sys

from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress, table
from recommender.experiments import Evaluation, Terms, evaluate


def run(options: argparse.Namespace) -> int:
    """Judge the recipe of a shop beside the baselines, and print the figures."""
    settings = settings_of(options)
    terms = Terms(
        days=settings.evaluation.days,
        test_from=settings.evaluation.test_from_s(),
        test=options.test,
        folds=options.folds,
    )
    evaluation = evaluate(settings.job(progress), terms)
    if options.json:
        sys.stdout.write(json.dumps(evaluation.plain(), indent=1) + "\n")
    else:
        _print(evaluation)
    return 0


def _print(evaluation: Evaluation) -> None:
    shown = console()
    shown.print(
        f"Basket protocol, {evaluation.protocol['window']} window: {len(evaluation.queries):,} "
        f"queries of {len(evaluation.window.baskets):,} baskets "
        f"({evaluation.window.left_out:,} of more than 100 items left out), "
        f"{len(evaluation.window.train):,} events to learn from.\n"
    )
    rows = []
    for one in evaluation.judged:
        metrics = one.slices["all"].metrics
        ndcg = metrics["ndcg"]
        cold = one.slices.get("simulated cold")
        rows.append(
            (
                one.name,
                f"{metrics['hit_rate'].value:.3f}",
                f"{ndcg.value:.3f}",
                f"{ndcg.low:.3f} to {ndcg.high:.3f}",
                f"{metrics['mrr'].value:.3f}",
                f"{one.slices['tail'].metrics['ndcg'].value:.3f}",
                f"{cold.metrics['ndcg'].value:.3f}" if cold else "",
                f"{one.lists['coverage']:.3f}",
            )
        )
    headings = [
        ("lists from", "left"),
        ("hit@10", "right"),
        ("NDCG@10", "right"),
        ("95 % interval", "right"),
        ("MRR@10", "right"),
        ("tail", "right"),
        ("cold", "right"),
        ("coverage", "right"),
    ]
    shown.print(table(headings, rows))
    shown.print()
    for name, mean in evaluation.differences.items():
        shown.print(f"NDCG against {name}: {mean.value:+.3f} ({mean.low:+.3f} to {mean.high:+.3f})")
