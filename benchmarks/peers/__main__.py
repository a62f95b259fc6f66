"""RecTools, LensKit and SASRec next to the recipe, on both protocols, by the same harness.

    python -m benchmarks.peers --python PEERS_PYTHON [--config FILE] [--set NAME=VALUE] [--test]

The peers are fitted in a subprocess with an environment of their own (`make peers` builds it). They
read the events to learn from as Parquet, and write their lists and answers as Parquet.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from recommender.build.job import Job
from recommender.cli.evaluate import show
from recommender.evaluation.experiments import Evaluation, evaluate
from recommender.evaluation.external_lists import ExternalLists, read_entries
from recommender.evaluation.harness import EvaluationPlan, Harness, ProtocolName, prepare_harness
from recommender.evaluation.protocols import K
from recommender.evaluation.report import SystemResult
from recommender.evaluation.user_protocols import NextItemTask
from recommender.settings.loading import find_file, load

FIT = Path(__file__).with_name("fit.py")


def main() -> None:
    """Fit the peers once, then evaluate them on both protocols."""
    parser = argparse.ArgumentParser(description="Peers next to the recipe.")
    parser.add_argument("--python", required=True, help="the python of the peers' environment")
    parser.add_argument("--config")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20, help="of SASRec")
    options = parser.parse_args()
    settings = load(find_file(options.config), options.assignments)
    job = settings.job()

    def plan(protocol: ProtocolName) -> EvaluationPlan:
        return EvaluationPlan(
            days=settings.evaluation.days,
            test_from=settings.evaluation.test_from_s(),
            test=options.test,
            folds=options.folds,
            protocol=protocol,
        )

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = prepare_harness(job, plan("next-item"))
        export(asked, folder)
        command = [options.python, str(FIT), name, "--epochs", str(options.epochs)]
        subprocess.run(command, check=True)
        lists = list(peer_lists(folder))
        show(evaluate(job, plan("basket"), lists))
        print()  # noqa: T201
        show(with_sasrec(job, plan("next-item"), lists, folder))


def export(asked: Harness, folder: Path) -> None:
    """Write the events to learn from, and the histories that are asked about."""
    if not isinstance(asked.task, NextItemTask):
        raise TypeError("a harness of the next-item protocol is needed")
    ids = np.array(asked.catalogue.ids.ids, dtype=object)
    train = asked.window.train
    holder = train.user if (train.user >= 0).any() else train.session
    events = {"basket": train.basket, "holder": holder, "time": train.time, "item": ids[train.item]}
    pd.DataFrame(events).to_parquet(folder / "events.parquet", index=False)
    history = asked.task.history
    histories = {"query": history.user, "moment": history.moment, "item": ids[history.item]}
    pd.DataFrame(histories).to_parquet(folder / "histories.parquet", index=False)


def peer_lists(folder: Path) -> Iterator[ExternalLists]:
    """The lists that the peers wrote."""
    for path in sorted(folder.glob("lists-*.parquet")):
        yield ExternalLists(path.stem.removeprefix("lists-"), *read_entries(path))


def with_sasrec(
    job: Job, plan: EvaluationPlan, lists: list[ExternalLists], folder: Path
) -> Evaluation:
    """The next-item evaluation, with SASRec's answers among its results."""
    made = evaluate(job, plan, lists)
    sasrec = evaluated_answers(made.harness, "SASRec", folder / "answers-SASRec.parquet")
    ours = made.results[0]
    return Evaluation(
        harness=made.harness,
        protocol=made.protocol,
        results=(*made.results, sasrec),
        differences={**made.differences, "SASRec": made.harness.differences(ours, sasrec)},
        debiased=made.debiased,
        notes=made.notes,
        baselines=made.baselines,
    )


def evaluated_answers(asked: Harness, name: str, path: Path) -> SystemResult:
    """Answers by query (query, item, rank), evaluated as what users were shown."""
    answers = pd.read_parquet(path)
    top = np.full((len(asked.queries), K), -1, dtype=np.int32)
    kept = answers[answers["rank"] <= K]
    rows = asked.catalogue.ids.rows(kept["item"].tolist())
    top[kept["query"].to_numpy(), kept["rank"].to_numpy() - 1] = rows
    return asked.evaluate_shown(name, top)


if __name__ == "__main__":
    main()
