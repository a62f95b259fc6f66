"""Tuning: a search for better parameters of a recipe on validation windows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommender import registry
from recommender.core.recipe import Choice, Recipe
from recommender.errors import ConfigError
from recommender.evaluation.harness import Harness
from recommender.evaluation.report import ALL, SystemResult, large

Values = Mapping[str, tuple[Any, ...]]
INTERACTIONS: Mapping[str, Values] = {
    "co-occurrence-svd": {
        "dimensions": (128, 256, 384),
        "half_life_days": (0.0, 30.0, 60.0, 120.0),
        "size_power": (0.0, 0.5, 1.0),
        "popularity": (0.0, 0.2, 0.4),
    },
    "als": {"dimensions": (64, 128, 256), "regularization": (0.01, 0.1, 1.0)},
}
FUSIONS: Mapping[str, Values] = {
    "gated": {"text_share": (0.1, 0.2, 0.3, 0.5), "half_support": (2.0, 5.0, 10.0, 20.0)},
    "learned": {"half_life_days": (0.0, 30.0, 60.0, 120.0), "cold_share": (0.1, 0.25, 0.4)},
}
RANKERS: Mapping[str, Values] = {
    "learned": {"leaves": (7, 15, 31), "learning_rate": (0.03, 0.05, 0.1)},
}


@dataclass(frozen=True, slots=True)
class Variation:
    """A recipe with one parameter changed; `change` says which."""

    change: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Trial:
    """The results of a variation on each window, and whether it was taken."""

    change: str
    results: tuple[SystemResult, ...]
    taken: bool

    @property
    def ndcg(self) -> float:
        """Mean NDCG@10 of all queries, over the windows."""
        return float(np.mean([one.ndcg().value for one in self.results]))


def tune(
    recipe: Recipe,
    harnesses: Sequence[Harness],
    out_of_time: Callable[[], bool],
    watch: Callable[[Trial], None],
    seed: int = 0,
) -> tuple[Recipe, Trial]:
    """Change one parameter at a time, of the models and the first placement, and keep what helps.

    A change is taken where NDCG rises on every window and falls, with its whole 95 % interval, on
    no slice of at least 300 queries. The search ends when `out_of_time`, or when no change helps.
    Returns the recipe, which equals the given one where nothing helped, and its trial.

    Raises: ConfigError where the recipe has nothing to tune.
    """
    if next(variations(recipe), None) is None:
        raise ConfigError("recipe: none of its parts has parameters that tune knows")
    rng = np.random.default_rng(seed)
    best = Trial("as given", _results(recipe, harnesses), taken=True)
    watch(best)
    waiting = _shuffled(recipe, rng)
    tried = {recipe.digest}
    while waiting and not out_of_time():
        variation = waiting.pop()
        if variation.recipe.digest in tried:
            continue
        tried.add(variation.recipe.digest)
        results = _results(variation.recipe, harnesses)
        trial = Trial(variation.change, results, _helps(harnesses, results, best.results))
        watch(trial)
        if trial.taken:
            recipe, best = variation.recipe, trial
            waiting = _shuffled(recipe, rng)
    return recipe, best


def variations(recipe: Recipe) -> Iterator[Variation]:
    """Every recipe that differs in one parameter known to `INTERACTIONS`, `FUSIONS`, `RANKERS`."""
    for name, choice in recipe.interactions.items():
        for change, varied in _varied(
            choice, INTERACTIONS, registry.interaction_model, f"interactions.{name}"
        ):
            interactions = {**recipe.interactions, name: varied}
            yield Variation(change, replace(recipe, interactions=interactions))
    first, *others = recipe.placements
    for change, fusion in _varied(first.fusion, FUSIONS, registry.fusion, "fusion"):
        placements = (replace(first, fusion=fusion), *others)
        yield Variation(change, replace(recipe, placements=placements))
    for change, ranker in _varied(first.ranker, RANKERS, registry.ranker, "ranker"):
        placements = (replace(first, ranker=ranker), *others)
        yield Variation(change, replace(recipe, placements=placements))


def _varied(
    choice: Choice, known: Mapping[str, Values], make: Callable[[Choice], object], where: str
) -> Iterator[tuple[str, Choice]]:
    implementation = make(choice)
    for parameter, values in known.get(choice.use, {}).items():
        for value in values:
            if value != getattr(implementation, parameter):
                varied = Choice(choice.use, {**choice.parameters, parameter: value})
                yield f"{where}.{parameter} = {value}", varied


def _shuffled(recipe: Recipe, rng: np.random.Generator) -> list[Variation]:
    found = list(variations(recipe))
    return [found[place] for place in rng.permutation(len(found))]


def _results(recipe: Recipe, harnesses: Sequence[Harness]) -> tuple[SystemResult, ...]:
    return tuple(harness.evaluate(recipe) for harness in harnesses)


def _helps(
    harnesses: Sequence[Harness],
    ours: tuple[SystemResult, ...],
    before: tuple[SystemResult, ...],
) -> bool:
    for harness, new, old in zip(harnesses, ours, before, strict=True):
        differences = harness.differences(new, old)
        if differences[ALL].value <= 0:
            return False
        sizes = {name: part.n for name, part in new.slices.items()}
        if any(differences[part].high < 0 for part in large(differences, sizes)):
            return False
    return True
