"""Tuning: a search of a recipe's parameters on validation windows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recommender import registry
from recommender.core.recipe import Choice, Recipe
from recommender.errors import ConfigError
from recommender.evaluation.harness import Bench
from recommender.evaluation.report import Judged
from recommender.evaluation.slices import ALL

LEAST_QUERIES = 300

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
    """A variation as judged on each window, and whether it was taken."""

    change: str
    judged: tuple[Judged, ...]
    taken: bool

    @property
    def ndcg(self) -> float:
        """Mean NDCG@10 of the windows, all queries."""
        return float(np.mean([one.slices[ALL].metrics["ndcg"].value for one in self.judged]))


def tune(
    recipe: Recipe,
    benches: Sequence[Bench],
    out_of_time: Callable[[], bool],
    watch: Callable[[Trial], None],
    seed: int = 0,
) -> tuple[Recipe, Trial]:
    """Change one parameter of the first placement after the other, and keep what helps.

    A change is taken where NDCG rises on every window and falls, with its whole 95 % interval, on
    no slice of at least 300 queries. Ends when `out_of_time`, or when no change helps any more.
    Returns the recipe, equal to the given one where nothing helped, and how it was judged.

    Raises: ConfigError where the recipe has nothing to tune.
    """
    if next(variations(recipe), None) is None:
        raise ConfigError("recipe: none of its parts has parameters that tune knows")
    rng = np.random.default_rng(seed)
    best = Trial("as given", _judged(recipe, benches), taken=True)
    watch(best)
    waiting = _shuffled(recipe, rng)
    tried = {recipe.digest}
    while waiting and not out_of_time():
        variation = waiting.pop()
        if variation.recipe.digest in tried:
            continue
        tried.add(variation.recipe.digest)
        judged = _judged(variation.recipe, benches)
        trial = Trial(variation.change, judged, _helps(benches, judged, best.judged))
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


def _judged(recipe: Recipe, benches: Sequence[Bench]) -> tuple[Judged, ...]:
    return tuple(bench.judge(recipe) for bench in benches)


def _helps(benches: Sequence[Bench], ours: tuple[Judged, ...], before: tuple[Judged, ...]) -> bool:
    for bench, new, old in zip(benches, ours, before, strict=True):
        differences = bench.differences(new, old)
        if differences[ALL].value <= 0:
            return False
        large = [name for name, part in new.slices.items() if part.n >= LEAST_QUERIES]
        if any(differences[name].high < 0 for name in large if name in differences):
            return False
    return True
