"""Fine-tuning: a shop's own text model, learned from what is bought together.

Learned is from what came before the validation window; nothing of the test period is looked at.
Every tenth item that sells well is held out: it asks for what tuning does to items that it never
saw. Half of the window's baskets say when to stop, the other half judge before and after.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recommender import registry
from recommender.build.job import Job
from recommender.core.arrays import FloatMatrix
from recommender.core.documents import documents
from recommender.core.interactions import support
from recommender.core.neighbours import NONE
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.evaluation.baskets import Queries
from recommender.evaluation.harness import Bench, Terms, bench
from recommender.evaluation.intervals import Interval, Resamples
from recommender.evaluation.metrics import K, QueryScores, judge
from recommender.evaluation.model_card import card, day, licence_of
from recommender.evaluation.report import Panel
from recommender.evaluation.slices import by_support
from recommender.vectors.content import model_folder
from recommender.vectors.content.adapter import Adapter, AdapterTraining, OnCheck
from recommender.vectors.content.model_folder import DEFAULT_MODEL
from recommender.vectors.content.sentence_transformer import require_same

ENCODER = "sentence-transformers"
HELD_OUT, SEEN = "held out of tuning", "seen in tuning"
PROBED = 32


@dataclass(frozen=True, slots=True)
class Judgement:
    """Text-only NDCG@10 by slice, before, after, and after minus before, query by query."""

    n: Mapping[str, int]
    before: Mapping[str, Interval]
    after: Mapping[str, Interval]
    gain: Mapping[str, Interval]

    @property
    def improved(self) -> bool:
        """Better overall with the whole interval, and not worse with it on held-out items."""
        held_out = self.gain.get(HELD_OUT)
        return self.gain["all"].low > 0 and (held_out is None or held_out.high >= 0)

    def plain(self) -> dict[str, Any]:
        """The judgement as JSON knows it."""
        return {
            name: {
                "queries": self.n[name],
                "before": self.before[name].plain(),
                "after": self.after[name].plain(),
                "gain": self.gain[name].plain(),
            }
            for name in self.gain
        }


@dataclass(frozen=True, slots=True)
class Tuned:
    """An adapter, how it was judged, and the bench it was learned and judged on."""

    adapter: Adapter
    judgement: Judgement
    bench: Bench
    training: AdapterTraining


def finetune(job: Job, terms: Terms, training: AdapterTraining, watch: OnCheck) -> Tuned:
    """Learn an adapter for the job's text encoder, and judge it on the validation window.

    Raises: ConfigError where the recipe's text encoder is no sentence-transformers model;
    DataError where there are no baskets on both sides of the window.
    """
    name, choice = registry.text_choice(job.recipe)
    if choice.use != ENCODER:
        raise ConfigError(
            f"recipe.content.{name}: {choice.use} cannot be fine-tuned; use {ENCODER}"
        )
    prepared = bench(job, replace(terms, folds=1))
    matrix = prepared.content[name].matrix
    train = prepared.folds[0].train if prepared.folds else prepared.window.train
    deciding = prepared.queries.basket % 2 == 0
    if deciding.all() or not deciding.any():
        raise DataError("the validation window has too few baskets to judge fine-tuning on")
    stopping = prepared.queries.select(deciding)

    def goodness(vectors: FloatMatrix) -> float:
        return float(scores(job, vectors, stopping).ndcg.mean())

    learned = training.fit(matrix, train, goodness, watch)
    adapter = learned.tempered().centred(matrix)
    judged = _judgement(job, prepared, prepared.queries.select(~deciding), adapter)
    return Tuned(adapter, judged, prepared, training)


def save(job: Job, tuned: Tuned, out: Path) -> None:
    """Write the tuned model as a folder that a recipe can name, with its card.

    Raises: ConfigError where the folder is there or cannot be written; DataError where the folder
    encodes otherwise than was judged.
    """
    text, choice = registry.text_choice(job.recipe)
    parameters = choice.parameters
    name = str(parameters.get("model", DEFAULT_MODEL))
    folder = model_folder.find(
        name,
        str(parameters.get("revision", "main")),
        download=bool(parameters.get("download", False)),
    )
    facts = _facts(job, tuned, Path(name).name, folder)
    record = {key: facts[key] for key in ("base", "digest", "seed")}
    record |= {"until": tuned.bench.window.start, "ndcg": tuned.judgement.plain()}
    try:
        model_folder.save_adapted(
            folder, tuned.adapter, out, card(facts, tuned.judgement.plain()), record
        )
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sentence-transformers is not installed: pip install 'recommender[text]'"
        ) from error
    texts = documents(tuned.bench.catalogue)
    rows = [row for row, text in enumerate(texts) if text][:PROBED]
    expected = tuned.adapter.apply(tuned.bench.content[text].matrix[rows])
    require_same(out, [texts[row] for row in rows], expected)


def _facts(job: Job, tuned: Tuned, base: str, folder: Path) -> dict[str, Any]:
    """What the card and the record tell of a tuned model."""
    prepared = tuned.bench
    learned = prepared.folds[0].train if prepared.folds else prepared.window.train
    held_out = np.setdiff1d(prepared.window.train.item, learned.item)
    return {
        "base": base,
        "digest": model_folder.digest(folder),
        "licence": licence_of(folder),
        "shop": job.shop,
        "dimensions": prepared.content[registry.text_choice(job.recipe)[0]].matrix.shape[1],
        "events": len(learned),
        "since": day(int(learned.time[learned.time > 0].min(initial=learned.newest))),
        "until": day(prepared.window.start),
        "judged_until": day(prepared.window.until - 1),
        "held_out": len(held_out),
        "seed": tuned.training.seed,
        "parameters": ", ".join(f"{k} {v}" for k, v in asdict(tuned.training).items()),
    }


def scores(job: Job, vectors: FloatMatrix, queries: Queries) -> QueryScores:
    """The scores of lists by text alone: each asking item's nearest, by the recipe's index."""
    asking = np.unique(queries.row)
    index = registry.index_builder(job.recipe.index).build(vectors)
    found = index.search(vectors[asking], K + 1)
    nearest = found.keep(found.rows != asking[:, None], K)
    top = np.full((len(vectors), K), NONE, dtype=np.int32)
    top[asking] = nearest.rows
    return judge(queries, top)


def _judgement(job: Job, prepared: Bench, asked: Queries, adapter: Adapter) -> Judgement:
    name, _ = registry.text_choice(job.recipe)
    matrix = prepared.content[name].matrix
    slices = by_support(asked, support(prepared.window.train.matrix()))
    if prepared.folds:
        held_out = np.isin(asked.row, np.unique(prepared.folds[0].queries.row))
        slices |= {SEEN: ~held_out, HELD_OUT: held_out}
    slices = {name: chosen for name, chosen in slices.items() if chosen.any()}
    panel = Panel(slices, Resamples.of(asked.basket, prepared.terms.seed))
    before, after = (scores(job, vectors, asked) for vectors in (matrix, adapter.apply(matrix)))
    return Judgement(
        n={name: int(chosen.sum()) for name, chosen in slices.items()},
        before={name: one.metrics["ndcg"] for name, one in panel.summary(before).items()},
        after={name: one.metrics["ndcg"] for name, one in panel.summary(after).items()},
        gain=panel.differences(after, before),
    )
