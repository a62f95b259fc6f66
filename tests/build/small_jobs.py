"""Jobs of a shop of three baskets, with merchandisers' rules or without."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

from recommender.build.contents import read_ids
from recommender.build.job import Job
from recommender.settings.loading import load
from tests.support.builds import make

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c")]


def job(folder: Path, *assignments: str) -> Job:
    return load(folder / "recommender.toml", assignments).job()


def stages(made: Job) -> dict[str, bool]:
    return {cost.stage: cost.reused for cost in made.stopwatch.costs}


RULES = """
rules:
- {name: no-b, exclude: b, until: 2026-06-30}
- {name: first-c, pin: c, position: 1, from: 2026-06-01}
"""


def with_rules(folder: Path, day: str, *assignments: str) -> Job:
    made = job(folder, "merchandising.rules=rules.yaml", *assignments)
    return replace(made, today=date.fromisoformat(day))


def lists_by_item(made: Job) -> dict[str, list[str]]:
    build, lists = make(made)
    ids, (related,) = read_ids(made.artifacts, build).ids, lists()
    names = [ids[row] for row in related.entries.rows.tolist()]
    bounds = pairwise(related.offsets.tolist())
    return {item: names[start:end] for item, (start, end) in zip(ids, bounds, strict=True)}
