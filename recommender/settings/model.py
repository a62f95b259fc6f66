"""Settings of one shop: the tables of a settings file, with their defaults.

What a name in a recipe may be, `registry.py` knows; where values come from, `settings_file.py`.
"""

import dataclasses
import logging
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    field_validator,
    model_validator,
)

from recommender.artifacts.erasure import Forgotten
from recommender.artifacts.store import ArtifactStore
from recommender.build.gates import Gates
from recommender.build.job import SHARD_ITEMS, Job
from recommender.build.text_shards import SHARD_TEXTS
from recommender.core.api_budget import DEFAULT_URL, Budget, TextApi, check_url
from recommender.core.recipe import Choice, Placement, Recipe, Trust
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError
from recommender.readers.shop import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.serving.connection import redacted

logger = logging.getLogger(__name__)

EMBEDDED = "embedded"
CANDIDATES = ("nearest", "co-occurrence", "text-back-off", "best-sellers")


def _choice(value: object) -> Choice:
    """A name alone, or a table with `use` and parameters."""
    if isinstance(value, str):
        return Choice(value)
    if isinstance(value, Mapping):
        table = dict(value)
        use = table.pop("use", None)
        if not isinstance(use, str):
            raise ValueError("a table needs `use`, the name of an implementation")  # noqa: TRY004
        return Choice(use, table)
    if isinstance(value, Choice):
        return value
    raise ValueError("give a name, or a table with `use`")


def _choice_of(default: str) -> PlainValidator:
    def parse(value: object) -> Choice:
        if isinstance(value, Mapping):
            return _choice({"use": default} | dict(value))
        return _choice(value)

    return PlainValidator(parse)


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, Mapping) else value


def _fitting_key(key: SecretStr, without: str) -> SecretStr:
    if key.get_secret_value() and not 16 <= len(key.get_secret_value().encode()) <= 64:
        raise ValueError(f"give 16 to 64 bytes, or nothing for {without}")
    return key


ChoiceSetting = Annotated[Choice, PlainValidator(_choice)]


def with_named_content(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Accept `text`, the name of `content.text` until 0.1. To be removed in 0.3.

    A table without `use` sets parameters of the `content.text` that is there.
    """
    if "text" not in recipe:
        return dict(recipe)
    logger.warning("recipe.text is now called recipe.content.text; please rename it")
    rest = {name: value for name, value in recipe.items() if name != "text"}
    given, content = recipe["text"], rest.get("content", {})
    if not isinstance(content, Mapping):
        return rest
    if isinstance(given, Mapping) and "use" not in given and "text" in content:
        before = content["text"]
        given = ({"use": before} if isinstance(before, str) else dict(before)) | dict(given)
    return rest | {"content": {**content, "text": given}}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class PlacementSettings(_Table):
    """A named slot; see `recommender.core.recipe.Placement`."""

    name: str
    fusion: Annotated[Choice, _choice_of("learned")] = Choice("learned")
    candidates: tuple[ChoiceSetting, ...] = tuple(map(Choice, CANDIDATES))
    ranker: ChoiceSetting = Choice("learned")
    filters: tuple[ChoiceSetting, ...] = (Choice("in-stock"), Choice("one-per-group"))
    shown: int = 12
    depth: int = 36
    min_score: float = 0.0
    kinds: tuple[str, ...] = ()
    hub_share: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: object) -> object:
        """Accept `rules`, the name of `filters` until 0.1. To be removed in 0.3."""
        if not isinstance(values, Mapping) or "rules" not in values or "filters" in values:
            return values
        logger.warning("recipe.placements: `rules` is now called `filters`; please rename it")
        return {name if name != "rules" else "filters": values[name] for name in values}


class RecipeSettings(_Table):
    """How item vectors and lists are made; the defaults are config/recipes/default.toml."""

    content: dict[str, Annotated[Choice, _choice_of("sentence-transformers")]] = Field(
        default_factory=lambda: {"text": Choice("sentence-transformers")}
    )
    interactions: dict[str, ChoiceSetting] = Field(
        default_factory=lambda: {"behaviour": Choice("co-occurrence-svd")}
    )
    index: Annotated[Choice, _choice_of("auto")] = Choice("auto")
    placements: tuple[PlacementSettings, ...] = (PlacementSettings(name="related"),)
    trust: Trust = Trust()

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: object) -> object:
        return with_named_content(values) if isinstance(values, Mapping) else values

    def recipe(self) -> Recipe:
        """The recipe. Raises: ConfigError."""
        return Recipe(
            content=self.content,
            interactions=self.interactions,
            index=self.index,
            placements=tuple(
                Placement(**{name: getattr(slot, name) for name in type(slot).model_fields})
                for slot in self.placements
            ),
            trust=self.trust,
        )


class StateSettings(_Table):
    """What stays on this machine: the embedded store, quarantined rows, the key of user ids.

    `user_key` (16 to 64 bytes) keys the hash of user ids; empty, the folder keeps a random one.
    """

    folder: Path = Path(".recommender")
    user_key: SecretStr = SecretStr("")

    @field_validator("user_key")
    @classmethod
    def _fits(cls, key: SecretStr) -> SecretStr:
        return _fitting_key(key, "a random key")


class StoreSettings(_Table):
    """Where lists are published: `embedded`, or the URL of a Redis or Valkey server or Cluster.

    A publisher that stops renewing its lease for `lease_s` seconds has lost it.
    """

    url: str = EMBEDDED
    lease_s: float = Field(default=30.0, ge=3, le=600)


class BrokerSettings(_Table):
    """Where jobs are queued: the URL of a Redis or RabbitMQ broker, not the serving store's."""

    url: str = ""


class ArtifactSettings(_Table):
    """Where stage outputs lie: a folder or an fsspec URL; empty, in the state folder.

    With a `signing_key` (16 to 64 bytes), artifacts and run records of other writers are refused.
    `recommender gc` keeps what the last `keep_runs` runs and those that are `pinned` are made of.
    """

    url: str = ""
    keep_runs: int = Field(default=3, ge=0)
    pinned: tuple[int, ...] = ()
    signing_key: SecretStr = SecretStr("")

    @field_validator("signing_key")
    @classmethod
    def _fits(cls, key: SecretStr) -> SecretStr:
        return _fitting_key(key, "none")


class TextApiSettings(_Table):
    """An OpenAI-compatible text API, for `text = "openai"`.

    See `recommender.core.api_budget.TextApi`.

    `key` belongs into the environment. A run makes at most `calls_max` calls and spends at most
    `money_max`, in the currency of `price_per_million` tokens. A request takes at most `timeout_s`
    seconds, and a batch is sent at most `attempts` times.
    """

    url: str = DEFAULT_URL
    key: SecretStr = SecretStr("")
    calls_max: int = Field(default=10_000, ge=0)
    money_max: float = Field(default=10.0, ge=0)
    price_per_million: float = Field(default=0.02, ge=0)
    concurrency: int = Field(default=4, ge=1, le=64)
    timeout_s: float = Field(default=60.0, gt=0, le=600)
    attempts: int = Field(default=6, ge=1, le=20)
    link_local: bool = False

    @field_validator("key")
    @classmethod
    def _printable(cls, key: SecretStr) -> SecretStr:
        told = key.get_secret_value()
        if told and not (told.isascii() and told.isprintable() and " " not in told):
            raise ValueError("give printable ASCII without spaces")
        return key

    @field_validator("url")
    @classmethod
    def _fits(cls, url: str) -> str:
        try:
            check_url(url)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return url

    def text_api(self) -> TextApi:
        """How an encoder asks it."""
        return TextApi(
            url=self.url,
            key=self.key.get_secret_value(),
            budget=Budget(self.calls_max, self.money_max, self.price_per_million),
            concurrency=self.concurrency,
            timeout_s=self.timeout_s,
            attempts=self.attempts,
            link_local=self.link_local,
        )


class LimitSettings(_Table):
    """What may be wrong before a run stops, how much a task of a fleet carries and may take.

    `memory_mb` is the ceiling of a worker's step, 0 for none; it is that of the machine. Events
    that are more than `retention_days` older than the newest are not read; 0 reads all.
    """

    refused_share_max: float = Field(default=0.02, ge=0, le=1)
    retention_days: int = Field(default=0, ge=0)
    shard_texts: int = Field(default=SHARD_TEXTS, ge=1, le=1_000_000)
    shard_items: int = Field(default=SHARD_ITEMS, ge=1, le=10_000_000)
    memory_mb: int = Field(default=0, ge=0)


class ScheduleSettings(_Table):
    """When workers do what, as cron expressions of five fields in `time_zone`; empty, never.

    `reindex` all lists, `evaluation` of the recipe, `audit` of the live lists against the
    artifacts.
    """

    reindex: str = ""
    evaluation: str = ""
    audit: str = ""
    time_zone: str = "UTC"


class MerchandisingSettings(_Table):
    """The merchandisers' rules that every reindex applies: a YAML file, none where empty."""

    rules: str = ""


class EvaluationSettings(_Table):
    """What evaluation tests on: the last `days`, or everything from the day `test_from` (UTC)."""

    days: int = Field(default=30, ge=1)
    test_from: date | None = None

    def test_from_s(self) -> int | None:
        """The beginning of the test period in epoch seconds, None where `days` say it."""
        if self.test_from is None:
            return None
        return int(datetime.combine(self.test_from, time(), UTC).timestamp())


class Settings(_Table):
    """Everything that one shop can set."""

    shop: str
    state: StateSettings = StateSettings()
    store: StoreSettings = StoreSettings()
    broker: BrokerSettings = BrokerSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    text_api: TextApiSettings = TextApiSettings()
    catalogue: CatalogueSource = Field(default_factory=CatalogueSource)
    interactions: Annotated[tuple[InteractionSource, ...], BeforeValidator(_one_or_many)] = ()
    recipe: RecipeSettings = RecipeSettings()
    merchandising: MerchandisingSettings = MerchandisingSettings()
    gates: Gates = Gates()
    evaluation: EvaluationSettings = EvaluationSettings()
    limits: LimitSettings = LimitSettings()
    schedule: ScheduleSettings = ScheduleSettings()

    def source(self) -> ShopSource:
        """What reading depends on."""
        return ShopSource(
            catalogue=self.catalogue,
            interactions=self.interactions,
            refused_share_max=self.limits.refused_share_max,
            retention_days=self.limits.retention_days,
        )

    def rule_file(self) -> Path | None:
        """The merchandisers' rules, None where there are none."""
        return Path(self.merchandising.rules) if self.merchandising.rules else None

    def artifact_store(self) -> ArtifactStore:
        """Where this shop's artifacts lie."""
        return ArtifactStore(
            self.artifacts.url or self.state.folder / "artifacts",
            self.shop,
            cache=self.state.folder / "cache",
            signing_key=self.artifacts.signing_key.get_secret_value().encode(),
        )

    def forgotten(self) -> Forgotten:
        """The users whose events no build reads any more."""
        return Forgotten(self.artifact_store(), self._user_key())

    def job(self, progress: Progress = silent) -> Job:
        """Everything that a reindex of this shop needs."""
        return Job(
            shop=self.shop,
            source=self.source(),
            recipe=self.recipe.recipe(),
            artifacts=self.artifact_store(),
            user_key=self._user_key(),
            quarantine=self.state.folder / "quarantine" / f"{self.shop}.jsonl",
            settings=self.plain(),
            text_api=self.text_api.text_api(),
            paid_lock=self.state.folder / "paid-texts.lock",
            progress=progress,
            shard_texts=self.limits.shard_texts,
            shard_items=self.limits.shard_items,
            rule_file=self.rule_file(),
        )

    def frozen_as(self, run: Mapping[str, Any]) -> "Settings":
        """The settings that a run was begun with, as its record has them, for this machine.

        Where state, store, broker and artifacts lie, the text API, and every secret, stay those of
        this machine. Raises: ConfigError where the record was written by another version.
        """
        own = ("state", "store", "broker", "artifacts", "text_api")
        here = {name: getattr(self, name) for name in own}
        try:
            return Settings.model_validate({**run, **here})
        except ValueError as error:
            raise ConfigError(f"the run's settings are of another version: {error}") from error

    def plain(self) -> dict[str, Any]:
        """The settings as they would stand in a file, secrets masked, unset values left out."""
        plain: dict[str, Any] = _plain(self)
        plain["store"]["url"] = redacted(self.store.url)
        plain["artifacts"]["url"] = redacted(self.artifacts.url)
        plain["broker"]["url"] = redacted(self.broker.url)
        plain["recipe"] = self.recipe.recipe().plain()
        return plain

    def _user_key(self) -> bytes:
        given = self.state.user_key.get_secret_value()
        if given:
            return given.encode()
        path = self.state.folder / "user_key"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                private = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(private, "w") as file:
                    file.write(secrets.token_hex(32))
            return path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"state.folder {self.state.folder} cannot be used: {error.strerror}"
            ) from error


def _plain(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, BaseModel):
        return _plain({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, Choice):
        return value.plain()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path | date) else value
