"""How deep lists should be published, by the share of entries that conditions drop from them."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recommender.core.recipe import Placement
from recommender.errors import ConfigError, DataError
from recommender.serving import filter_counts
from recommender.serving.filter_counts import TENTHS, counter
from recommender.settings.model import Settings

ANSWERS_MIN = 100
"""With fewer answers under a condition, depths stay as they are."""
COVERED = 0.95
"""The share of answers that lists should be deep enough for."""
DEEPEST = 20
"""Lists are at most so many times as deep as pages show: what drops more is no fault of theirs."""
MAX_DEPTH = 1000
_METRIC = "recommender_lookup"


@dataclass(frozen=True, slots=True)
class DepthProposal:
    """What conditions dropped from the lists of a placement, and the depth that this calls for.

    `share` is the share of entries that is dropped of `COVERED` of the answers, in tenths; `mean`
    is that of all entries. `proposed` is the depth of the recipe at least; where there are too few
    `answers`, it is the present `depth`.
    """

    placement: str
    answers: int
    mean: float
    share: float
    short: int
    depth: int
    proposed: int


def counters_of(files: Iterable[Path], shop: str) -> Counter[str]:
    """The sum of a shop's counters of lookups in some files.

    Each is an answer of `/metrics`, or `stats()` of a lookup as JSON. Raises: ConfigError,
    DataError.
    """
    found: Counter[str] = Counter()
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        try:
            found.update(_of_stats(text) if text.lstrip()[:1] == "{" else _of_metrics(text, shop))
        except ValueError as error:
            raise DataError(
                f"{path}: {error}; give an answer of /metrics, or stats() of a lookup as JSON"
            ) from error
    return found


def proposals(settings: Settings, counters: Mapping[str, int]) -> list[DepthProposal]:
    """A proposal for each placement of the recipe."""
    of_recipe = {one.name: one.depth for one in settings.recipe.recipe().placements}
    return [
        _proposal(one, of_recipe[one.name], counters) for one in settings.built_recipe().placements
    ]


def _proposal(placement: Placement, at_least: int, counters: Mapping[str, int]) -> DepthProposal:
    answers, looked_at, dropped, short = (
        counters.get(counter(name, placement.name), 0)
        for name in (
            *(filter_counts.ANSWERS, filter_counts.LOOKED_AT),
            *(filter_counts.DROPPED, filter_counts.SHORT),
        )
    )
    tenths = [counters.get(counter(TENTHS.format(n), placement.name), 0) for n in range(11)]
    share = next((n for n in range(11) if sum(tenths[: n + 1]) >= COVERED * sum(tenths)), 0) / 10
    needed = math.ceil(round(placement.shown / max(1 - share, 1 / DEEPEST), 6))
    proposed = min(max(at_least, needed), MAX_DEPTH)
    return DepthProposal(
        placement.name,
        answers,
        dropped / looked_at if looked_at else 0.0,
        share,
        short,
        placement.depth,
        proposed if answers >= ANSWERS_MIN else placement.depth,
    )


def _of_stats(text: str) -> dict[str, int]:
    found = json.loads(text)
    return {name: count for name, count in found.items() if isinstance(count, int)}


def _of_metrics(text: str, shop: str) -> dict[str, int]:
    # The extra `service` has it, which those who serve lookups by HTTP have installed.
    from prometheus_client.parser import text_string_to_metric_families

    found = {
        sample.labels["what"]: int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == _METRIC and sample.labels.get("shop") == shop
    }
    if not found:
        raise ValueError(f"no counters of shop {shop}")
    return found
