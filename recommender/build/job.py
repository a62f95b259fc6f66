"""A job: the input, recipe and folders of a shop, and the facts fixed when a run begins."""

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
from recommender.build.text_shards import SHARD_TEXTS, Ledger
from recommender.core.api_budget import TextApi
from recommender.core.protocols import ContentOrigin, TextEncoder
from recommender.core.recipe import Choice, Recipe
from recommender.core.telemetry import Progress, Stopwatch, silent
from recommender.errors import ArtifactError, ConfigError
from recommender.merchandising.application import today_of
from recommender.merchandising.rule_file import required_rules
from recommender.readers.shop_source import ShopSource, input_digests
from recommender.vectors.content.images import ImageEncoder

SHARD_ITEMS = 65_536

Kinds = tuple[str, ...]
"""Kinds of interaction in sorted order; empty means all."""


@dataclass(frozen=True, slots=True)
class Pins:
    """The facts that are fixed when a run begins, so that all workers make the same artifacts.

    `inputs` are checksums of the files; `content` has the fingerprint of each content origin, and
    `ledger_ends` the number of entries of a text or image encoder's ledger that count;
    `forgotten_end` is the same for the ledger of forgotten users. `rules` is the digest of the
    merchandising rules that are valid on the day `rules_on`, "" without rules; `bundles` are
    their terms of bundles. `changes` is the artifact of the live changes of items, "" without any.
    """

    inputs: Mapping[str, str]
    content: Mapping[str, str]
    ledger_ends: Mapping[str, int]
    forgotten_end: int = 0
    rules: str = ""
    rules_on: str = ""
    bundles: Mapping[str, Any] = field(default_factory=dict)
    changes: str = ""


@dataclass(frozen=True, slots=True)
class PinnedEncoder:
    """A text encoder as a run pinned it; the first `end` entries of its ledger count as known."""

    name: str
    choice: Choice
    api: TextApi
    ledger: Ledger
    end: int

    def encoder(self) -> TextEncoder:
        """The encoder of this machine. Raises: ConfigError where it is not the run's."""
        encoder = registry.text_encoder(self.choice, self.api)
        if encoder.fingerprint() != self.ledger.encoder:
            raise ConfigError(
                f"recipe.content.{self.name}: the model here is {encoder.fingerprint():.60}, the "
                f"run's is {self.ledger.encoder:.60}; install the same on every machine"
            )
        return encoder


@dataclass(frozen=True, slots=True)
class Job:
    """One shop's input, recipe and places; `settings`, without secrets, are for the record.

    Through the file `paid_lock`, processes of this machine wait for each other before they pay for
    the same texts. A shard holds at most `shard_texts` texts or the lists of `shard_items` items.
    `rule_file` is the merchandisers', read as of `today`, which is the day on which the run begins
    if not given. `storefront` is what the settings say of pages.
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
    storefront: Mapping[str, Any] = field(default_factory=dict)
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
    forgotten_end = forgotten_of(job).end()
    rules, rules_on, bundles = _valid_rules(job)
    pins = Pins(inputs, *_pinned_content(job), forgotten_end, rules, rules_on, bundles)
    return dataclasses.replace(job, pins=pins)


def resumed(job: Job, run: Run) -> Job:
    """The job of a run that was begun, for any process that continues it."""
    pins = dict(run.pins)
    if "encoder" in pins:  # written before 0.2, which had one text encoder; to be removed in 0.3
        (name,) = job.recipe.content
        pins["content"] = {name: pins.pop("encoder")}
        pins["ledger_ends"] = {name: pins.pop("ledger_end")}
    return dataclasses.replace(job, pins=Pins(**pins))


def pins_of(job: Job) -> Pins:
    """The pins of a job. Raises: ArtifactError where it has none yet."""
    if job.pins is None:
        raise ArtifactError("a job is planned once it is pinned")
    return job.pins


def text_encoders(job: Job) -> dict[str, PinnedEncoder]:
    """The text encoders of a pinned job, by the name of their content origin."""
    pins = pins_of(job)
    return {
        name: PinnedEncoder(
            name,
            choice,
            job.text_api,
            Ledger(job.artifacts, pins.content[name]),
            pins.ledger_ends[name],
        )
        for name, choice in registry.text_choices(job.recipe).items()
    }


def content_origin(job: Job, name: str) -> ContentOrigin:
    """A content origin of a job that is no text encoder."""
    origin = registry.content_origin(job.recipe.content[name])
    if isinstance(origin, ImageEncoder):
        return dataclasses.replace(origin, beside=job.source.catalogue_folder)
    return origin


def forgotten_of(job: Job) -> Forgotten:
    """The users that the shop was asked to forget."""
    return Forgotten(job.artifacts, job.user_key)


def with_content_pinned(job: Job) -> Job:
    """The job with its content origins pinned, unless it has pins, for those who read no files."""
    if job.pins is not None:
        return job
    return dataclasses.replace(job, pins=Pins({}, *_pinned_content(job)))


def _pinned_content(job: Job) -> tuple[dict[str, str], dict[str, int]]:
    """The fingerprints of the content origins, and where the ledgers of encoders end."""
    texts = registry.text_choices(job.recipe)
    origins: dict[str, ContentOrigin | TextEncoder] = {
        name: registry.text_encoder(choice, job.text_api)
        if name in texts
        else content_origin(job, name)
        for name, choice in job.recipe.content.items()
    }
    prints = {name: origin.fingerprint() for name, origin in origins.items()}
    encoders = [n for n, one in origins.items() if n in texts or isinstance(one, ImageEncoder)]
    return prints, {name: Ledger(job.artifacts, prints[name]).end() for name in encoders}


def _valid_rules(job: Job) -> tuple[str, str, Mapping[str, Any]]:
    """The digest of the merchandisers' rules, their day, and their terms of bundles."""
    if job.rule_file is None:
        return "", "", {}
    rule_set = required_rules(job.rule_file)
    today = today_of(rule_set, job.today)
    bundles = rule_set.bundles.plain() if rule_set.bundles else {}
    return rule_set.on(today).digest, today.isoformat(), bundles


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
