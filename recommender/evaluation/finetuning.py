"""Fine-tuning: a shop's own text model, learned from the items that are bought together.

It learns from the events before the validation window and never reads the test period. Every tenth
item that sells well is held out, which shows what tuning does to items that it never saw. Half of
the window's baskets decide when to stop; the other half compares before and after. The model is
written with a model card as its README.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recommender import registry
from recommender.build.job import Job
from recommender.core.arrays import FloatMatrix
from recommender.core.catalogue import documents
from recommender.core.interactions import Interactions, support
from recommender.core.neighbours import NONE
from recommender.errors import ConfigError, DataError, MissingExtra
from recommender.evaluation.harness import EvaluationPlan, Harness, prepare_harness
from recommender.evaluation.metrics import Interval, QueryScores, Resamples, score_queries
from recommender.evaluation.protocols import (
    K,
    Queries,
)
from recommender.evaluation.report import ALL, QuerySlices, by_support
from recommender.vectors.content import model_folder
from recommender.vectors.content.adapter import Adapter, AdapterTraining, OnCheck
from recommender.vectors.content.model_folder import DEFAULT_MODEL
from recommender.vectors.content.sentence_transformer import require_same

ENCODER = "sentence-transformers"
HELD_OUT, SEEN = "held out of tuning", "seen in tuning"
PROBED = 32

_CARD = """---
license: {licence}
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---

# {base}, fine-tuned to the shop {shop}

{base} followed by a residual layer that `recommender finetune` trained, so that items that are
bought together are near each other. It reads the same texts as its base, in {dimensions}
dimensions, and is meant for related items of this shop and its like, not for other texts.

| | |
| --- | --- |
| base | {base}, SHA-256 of its files {digest} |
| licence of the base | {licence} |
| learned from | {events:,} events from {since} to before {until} |
| not learned from | anything later; used to stop and to evaluate: {until} to {judged_until} |
| held out | {held_out:,} items, never seen in tuning |
| seed | {seed} |
| parameters | {parameters} |

NDCG@10 of lists by text alone, basket protocol, on the half of the window's baskets that did not
decide when to stop; the gain with its 95 % interval:

| queries | n | before | after | gain |
| --- | --- | --- | --- | --- |
{rows}

In a recipe: `text = {{ use = "sentence-transformers", model = "FOLDER" }}`. The simulated cold
items of `recommender evaluate` are not cold to this model, except those that were held out.
"""


@dataclass(frozen=True, slots=True)
class FinetuningResult:
    """NDCG@10 of lists by text alone, by slice: before, after, and after minus before."""

    n: Mapping[str, int]
    before: Mapping[str, Interval]
    after: Mapping[str, Interval]
    gain: Mapping[str, Interval]

    @property
    def improved(self) -> bool:
        """Surely better on all queries, and not surely worse on those of held-out items."""
        held_out = self.gain.get(HELD_OUT)
        return self.gain[ALL].low > 0 and (held_out is None or held_out.high >= 0)

    def plain(self) -> dict[str, Any]:
        """The result as JSON values."""
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
class FinetunedModel:
    """An adapter, its result, and the harness on which it was trained and evaluated."""

    adapter: Adapter
    result: FinetuningResult
    harness: Harness
    training: AdapterTraining


def finetune(
    job: Job, plan: EvaluationPlan, training: AdapterTraining, watch: OnCheck
) -> FinetunedModel:
    """Train an adapter for the job's text encoder, and evaluate it on the validation window.

    Raises: ConfigError where the recipe's text encoder is no sentence-transformers model;
    DataError where one side of the cut is empty.
    """
    name, choice = registry.text_choice(job.recipe)
    if choice.use != ENCODER:
        raise ConfigError(
            f"recipe.content.{name}: {choice.use} cannot be fine-tuned; use {ENCODER}"
        )
    harness = prepare_harness(job, replace(plan, folds=1))
    matrix, queries = harness.content[name].matrix, harness.queries
    deciding = queries.basket % 2 == 0
    if deciding.all() or not deciding.any():
        raise DataError("the validation window has too few baskets to evaluate fine-tuning on")
    stopping = queries.select(deciding)

    def goodness(vectors: FloatMatrix) -> float:
        return float(text_scores(job, vectors, stopping).ndcg.mean())

    learned = training.fit(matrix, _train(harness), goodness, watch)
    adapter = learned.tempered().centred(matrix)
    result = _result(job, harness, queries.select(~deciding), adapter)
    return FinetunedModel(adapter, result, harness, training)


def save(job: Job, model: FinetunedModel, out: Path) -> None:
    """Write the tuned model as a folder that a recipe can name, with its card.

    Raises: ConfigError where the folder exists or cannot be written; DataError where the vectors
    of the folder differ from those evaluated.
    """
    text, choice = registry.text_choice(job.recipe)
    parameters = choice.parameters
    name = str(parameters.get("model", DEFAULT_MODEL))
    folder = model_folder.find(
        name,
        str(parameters.get("revision", "main")),
        download=bool(parameters.get("download", False)),
    )
    facts = _facts(job, model, Path(name).name, folder)
    record = {key: facts[key] for key in ("base", "digest", "seed")}
    record |= {"until": model.harness.window.start, "ndcg": model.result.plain()}
    try:
        model_folder.save_adapted(
            folder, model.adapter, out, card(facts, model.result.plain()), record
        )
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "sentence-transformers is not installed: pip install 'recommender[text]'"
        ) from error
    texts = documents(model.harness.catalogue)
    rows = [row for row, text in enumerate(texts) if text][:PROBED]
    expected = model.adapter.apply(model.harness.content[text].matrix[rows])
    require_same(out, [texts[row] for row in rows], expected)


def text_scores(job: Job, vectors: FloatMatrix, queries: Queries) -> QueryScores:
    """The scores of lists by text alone: each asking item's nearest items by the recipe's index."""
    asking = np.unique(queries.row)
    index = registry.index_builder(job.recipe.index).build(vectors)
    found = index.search(vectors[asking], K + 1)
    nearest = found.keep(found.rows != asking[:, None], K)
    top = np.full((len(vectors), K), NONE, dtype=np.int32)
    top[asking] = nearest.rows
    return score_queries(queries, top)


def _train(harness: Harness) -> Interactions:
    """The interactions that the adapter is trained on, without held-out items."""
    return harness.folds[0].train if harness.folds else harness.window.train


def _result(job: Job, harness: Harness, asked: Queries, adapter: Adapter) -> FinetuningResult:
    name, _ = registry.text_choice(job.recipe)
    matrix = harness.content[name].matrix
    slices = by_support(asked, support(harness.window.train.matrix()))
    if harness.folds:
        held_out = np.isin(asked.row, np.unique(harness.folds[0].queries.row))
        slices |= {SEEN: ~held_out, HELD_OUT: held_out}
    slices = {name: chosen for name, chosen in slices.items() if chosen.any()}
    parts = QuerySlices(slices, Resamples.of(asked.basket, harness.plan.seed))
    before, after = (text_scores(job, one, asked) for one in (matrix, adapter.apply(matrix)))
    return FinetuningResult(
        n={name: int(chosen.sum()) for name, chosen in slices.items()},
        before={name: one.metrics["ndcg"] for name, one in parts.summary(before).items()},
        after={name: one.metrics["ndcg"] for name, one in parts.summary(after).items()},
        gain=parts.differences(after, before),
    )


def _facts(job: Job, model: FinetunedModel, base: str, folder: Path) -> dict[str, Any]:
    """The facts in the card and the record of a tuned model."""
    window, train = model.harness.window, _train(model.harness)
    return {
        "base": base,
        "digest": model_folder.digest(folder),
        "licence": licence_of(folder),
        "shop": job.shop,
        "dimensions": model.harness.content[registry.text_choice(job.recipe)[0]].matrix.shape[1],
        "events": len(train),
        "since": _day(int(train.time[train.time > 0].min(initial=train.newest))),
        "until": _day(window.start),
        "judged_until": _day(window.until - 1),
        "held_out": len(np.setdiff1d(window.train.item, train.item)),
        "seed": model.training.seed,
        "parameters": ", ".join(f"{k} {v}" for k, v in asdict(model.training).items()),
    }


def card(facts: Mapping[str, Any], slices: Mapping[str, Mapping[str, Any]]) -> str:
    """The model card; `facts` fill its table, `slices` are `FinetuningResult.plain`."""
    rows = "\n".join(
        f"| {name} | {one['queries']:,} | {one['before']['value']:.4f} "
        f"| {one['after']['value']:.4f} | {one['gain']['value']:+.4f} "
        f"({one['gain']['low']:+.4f} to {one['gain']['high']:+.4f}) |"
        for name, one in slices.items()
    )
    return _CARD.format(rows=rows, **facts)


def _day(seconds: int) -> str:
    """The day in UTC of epoch seconds."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def licence_of(folder: Path) -> str:
    """The licence in a model's own card, `unknown` where it names none."""
    path = folder / "README.md"
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[:60]:
            name, _, value = line.partition(":")
            if name.strip() == "license" and value.strip():
                return value.strip().strip("\"'")
    return "unknown"
