"""RecTools, LensKit and SASRec beside the recipe, on both protocols, by the same judge.

    python -m benchmarks.peers --python PEERS_PYTHON [--config FILE] [--set NAME=VALUE] [--test]

The peers are fitted in a subprocess of their own environment (`make peers` builds it) to what may
be learned from, which they get as Parquet; their lists and answers come back the same way.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from recommender.build.job import Job
from recommender.cli.judgement import show
from recommender.evaluation.experiments import Evaluation, evaluate
from recommender.evaluation.harness import Bench, ProtocolName, Terms, bench
from recommender.evaluation.metrics import K
from recommender.evaluation.next_item import Histories
from recommender.evaluation.ready_made import ReadyMade, read_entries
from recommender.evaluation.report import Judged
from recommender.settings.loading import find_file, load

FIT = Path(__file__).with_name("fit.py")


def main() -> None:
    """Fit the peers once, then judge them on both protocols."""
    parser = argparse.ArgumentParser(description="Peers beside the recipe.")
    parser.add_argument("--python", required=True, help="the python of the peers' environment")
    parser.add_argument("--config")
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=20, help="of SASRec")
    options = parser.parse_args()
    settings = load(find_file(options.config), options.assignments)
    job = settings.job()

    def terms(protocol: ProtocolName) -> Terms:
        return Terms(
            days=settings.evaluation.days,
            test_from=settings.evaluation.test_from_s(),
            test=options.test,
            folds=options.folds,
            protocol=protocol,
        )

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asked = bench(job, terms("next-item"))
        export(asked, folder)
        command = [options.python, str(FIT), name, "--epochs", str(options.epochs)]
        subprocess.run(command, check=True)
        lists = list(peer_lists(folder))
        show(evaluate(job, terms("basket"), lists))
        print()  # noqa: T201
        show(with_sasrec(job, terms("next-item"), lists, folder))


def export(asked: Bench, folder: Path) -> None:
    """Write what may be learned from, and the histories that are asked."""
    if not isinstance(asked.questions, Histories):
        raise TypeError("a bench of the next-item protocol is needed")
    ids = np.array(asked.catalogue.ids.ids, dtype=object)
    train = asked.window.train
    holder = train.user if (train.user >= 0).any() else train.session
    events = {"basket": train.basket, "holder": holder, "time": train.time, "item": ids[train.item]}
    pd.DataFrame(events).to_parquet(folder / "events.parquet", index=False)
    steps = asked.questions.steps
    histories = {"query": steps.holder, "moment": steps.moment, "item": ids[steps.item]}
    pd.DataFrame(histories).to_parquet(folder / "histories.parquet", index=False)


def peer_lists(folder: Path) -> Iterator[ReadyMade]:
    """The lists that came back."""
    for path in sorted(folder.glob("lists-*.parquet")):
        yield ReadyMade(path.stem.removeprefix("lists-"), *read_entries(path))


def with_sasrec(job: Job, terms: Terms, lists: list[ReadyMade], folder: Path) -> Evaluation:
    """The next-item evaluation, with SASRec's answers among those judged."""
    made = evaluate(job, terms, lists)
    sasrec = judged_answers(made.bench, "SASRec", folder / "answers-SASRec.parquet")
    ours = made.judged[0]
    return Evaluation(
        bench=made.bench,
        protocol=made.protocol,
        judged=(*made.judged, sasrec),
        differences={**made.differences, "SASRec": made.bench.differences(ours, sasrec)},
        notes=made.notes,
        baselines=made.baselines,
    )


def judged_answers(asked: Bench, name: str, path: Path) -> Judged:
    """Answers by query (query, item, rank), judged as what users were shown."""
    answers = pd.read_parquet(path)
    top = np.full((len(asked.queries), K), -1, dtype=np.int32)
    kept = answers[answers["rank"] <= K]
    rows = asked.catalogue.ids.rows(kept["item"].tolist())
    top[kept["query"].to_numpy(), kept["rank"].to_numpy() - 1] = rows
    return asked.judge_shown(name, top)


if __name__ == "__main__":
    main()
