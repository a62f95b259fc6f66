"""A job: a shop's input, recipe and places, and what is pinned when a run of it begins."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from recommender import registry
from recommender.artifacts.erasure import Forgotten
from recommender.artifacts.runs import Run
from recommender.artifacts.store import ArtifactStore
from recommender.build.paid_texts import ShardEncoder, Spending
from recommender.build.text_shards import SHARD_TEXTS, Ledger
from recommender.core.api_budget import TextApi
from recommender.core.protocols import TextEncoder
from recommender.core.recipe import Recipe
from recommender.core.telemetry import Progress, Stopwatch, silent
from recommender.errors import ArtifactError, ConfigError
from recommender.merchandising.application import today_of
from recommender.merchandising.rule_file import required_rules
from recommender.readers.shop import ShopSource, input_digests

SHARD_ITEMS = 65_536

Kinds = tuple[str, ...]
"""Kinds of interaction in sorted order; none stands for all."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What is fixed when a run begins, so that all who work on it mean the same artifacts.

    The checksums of its files, the fingerprint of its text encoder, how many entries of that
    encoder's ledger count as known, and how many of the ledger of forgotten users. The digest of
    the merchandisers' rules that are valid on the day `rules_on`, "" where none is.
    """

    inputs: Mapping[str, str]
    encoder: str
    ledger_end: int
    forgotten_end: int = 0
    rules: str = ""
    rules_on: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One shop's input, recipe and places; `settings`, without secrets, are for the record.

    Through the file `paid_lock`, processes of this machine wait for each other before they pay for
    the same texts. A shard holds at most `shard_texts` texts or the lists of `shard_items` items.
    `rule_file` is the merchandisers', read as of `today`, which is the day on which the run begins
    if not given.
    """

    shop: str
    source: ShopSource
    recipe: Recipe
    artifacts: ArtifactStore
    user_key: bytes
    quarantine: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    text_api: TextApi = field(default_factory=TextApi)
    paid_lock: Path = Path(".recommender/paid-texts.lock")
    progress: Progress = silent
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    shard_texts: int = SHARD_TEXTS
    shard_items: int = SHARD_ITEMS
    rule_file: Path | None = None
    today: date | None = None
    pins: Pins | None = None


def pinned(job: Job) -> Job:
    """The job with its pins, as they are now unless it has some. Raises: ConfigError."""
    if job.pins is not None:
        return job
    registry.check(job.recipe)
    _check_kinds(job)
    with job.stopwatch.measure("check inputs"):
        inputs = input_digests(job.source)
    encoder = registry.text_encoder(job.recipe.text, job.text_api).fingerprint()
    ledger_end = Ledger(job.artifacts, encoder).end()
    pins = Pins(inputs, encoder, ledger_end, forgotten_of(job).end(), *_valid_rules(job))
    return dataclasses.replace(job, pins=pins)


def resumed(job: Job, run: Run) -> Job:
    """The job of a run that was begun, whoever goes on with it."""
    return dataclasses.replace(job, pins=Pins(**run.pins))


def pins_of(job: Job) -> Pins:
    """The pins of a job. Raises: ArtifactError where it has none yet."""
    if job.pins is None:
        raise ArtifactError("a job is planned once it is pinned")
    return job.pins


def ledger_of(job: Job) -> Ledger:
    """Which texts the run's encoder has encoded."""
    return Ledger(job.artifacts, pins_of(job).encoder)


def forgotten_of(job: Job) -> Forgotten:
    """The users that the shop was asked to forget."""
    return Forgotten(job.artifacts, job.user_key)


def encoder_of(job: Job) -> TextEncoder:
    """The text encoder of this machine. Raises: ConfigError where it is not the run's."""
    encoder = registry.text_encoder(job.recipe.text, job.text_api)
    if encoder.fingerprint() != pins_of(job).encoder:
        raise ConfigError(
            f"recipe.text: the model here is {encoder.fingerprint():.60}, the run's is "
            f"{pins_of(job).encoder:.60}; install the same on every machine"
        )
    return encoder


def shard_encoder_of(job: Job, encoder: TextEncoder, plan: str) -> ShardEncoder:
    """The encoder of the shards of a plan of texts, with the run's budget."""
    spending = Spending(job.artifacts, plan, job.text_api.budget)
    end = pins_of(job).ledger_end
    return ShardEncoder.of(encoder, spending, ledger_of(job), end, job.paid_lock)


def _valid_rules(job: Job) -> tuple[str, str]:
    """The digest of the merchandisers' rules, and the day on which they are looked at."""
    if job.rule_file is None:
        return "", ""
    book = required_rules(job.rule_file)
    today = today_of(book, job.today)
    return book.on(today).digest, today.isoformat()


def _check_kinds(job: Job) -> None:
    """Refuse kinds that no event can have. Raises: ConfigError."""
    known = sorted({kind for source in job.source.interactions for kind in source.weights})
    for placement in job.recipe.placements:
        for kind in placement.kinds:
            if kind not in known:
                raise ConfigError(
                    f"placement {placement.name}: kinds names {kind!r}; the interactions have "
                    f"weights for {', '.join(known) or 'none'}. Add the kind, or leave the "
                    "placement out"
                )
