"""The tables of a settings file, with their defaults."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    field_validator,
)

from recommender.build.job import SHARD_ITEMS
from recommender.build.text_shards import SHARD_TEXTS
from recommender.core.api_budget import DEFAULT_URL, Budget, TextApi, check_url
from recommender.core.recipe import Choice, LearnDays, Placement, Recipe, Trust
from recommender.errors import ConfigError
from recommender.readers.tables import ROWS_MAX
from recommender.settings.secrets import check_quoted
from recommender.settings.table import Table

EMBEDDED = "embedded"
CANDIDATES = ("nearest", "nearest-content", "co-occurrence", "text-back-off", "best-sellers")
WrittenChoice = str | dict[str, Any]
"""A name, or a table with `use` and parameters."""


def _choice(value: object) -> Choice:
    """Read a name, or a table with `use` and parameters."""
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

    return PlainValidator(parse, json_schema_input_type=WrittenChoice)


def _key_length(key: SecretStr) -> SecretStr:
    if key.get_secret_value() and not 16 <= len(key.get_secret_value().encode()) <= 64:
        raise ValueError("give 16 to 64 bytes, or leave it empty")
    return key


ChoiceSetting = Annotated[Choice, PlainValidator(_choice, json_schema_input_type=WrittenChoice)]
Secret = Annotated[SecretStr, PlainSerializer(lambda key: "***" if key.get_secret_value() else "")]
Key = Annotated[Secret, AfterValidator(_key_length)]


class PlacementSettings(Table):
    """A placement; see `recommender.core.recipe.Placement`."""

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
    one_per_title: bool = True


class RecipeSettings(Table):
    """How item vectors and lists are made; the defaults are those of the recipe `default`."""

    content: dict[str, Annotated[Choice, _choice_of("sentence-transformers")]] = Field(
        default_factory=lambda: {"text": Choice("sentence-transformers")}
    )
    interactions: dict[str, ChoiceSetting] = Field(
        default_factory=lambda: {"behaviour": Choice("co-occurrence-svd")}
    )
    index: Annotated[Choice, _choice_of("auto")] = Choice("auto")
    placements: tuple[PlacementSettings, ...] = (
        PlacementSettings(
            name="related", ranker=Choice("learned", {"debias": 0.1}), hub_share=0.05
        ),
        PlacementSettings(
            name="next", ranker=Choice("learned", {"objective": "next"}), hub_share=0.05
        ),
    )
    trust: Trust = Trust()
    learn_days: LearnDays = "auto"

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
            learn_days=self.learn_days,
        )


class StateSettings(Table):
    """What is kept on this machine: the embedded store, quarantined rows, the key of user ids.

    `user_key` (16 to 64 bytes) is the key of the hash of user ids; if it is empty, a random key is
    kept in the folder.
    """

    folder: Path = Path(".recommender")
    user_key: Key = SecretStr("")


class StoreSettings(Table):
    """Where lists are published: `embedded`, or the URL of a Redis or Valkey server or Cluster.

    A publisher that does not renew its lease for `lease_s` seconds loses it.
    """

    url: Annotated[str, AfterValidator(check_quoted)] = EMBEDDED
    lease_s: float = Field(default=30.0, ge=3, le=600)


class BrokerSettings(Table):
    """Where jobs are queued: the URL of a Redis or RabbitMQ broker, separate from the store."""

    url: Annotated[str, AfterValidator(check_quoted)] = ""


class ArtifactSettings(Table):
    """Where artifacts are stored: a folder or an fsspec URL; by default in the state folder.

    With a `signing_key` (16 to 64 bytes), artifacts and run records of other writers are refused.
    `recommender gc` keeps the artifacts of the last `keep_runs` runs and of the `pinned` runs.
    """

    url: str = ""
    keep_runs: int = Field(default=3, ge=0)
    pinned: tuple[int, ...] = ()
    signing_key: Key = SecretStr("")


class TextApiSettings(Table):
    """An OpenAI-compatible text API, for `text = "openai"`; see `core.api_budget.TextApi`.

    Set `key` in the environment. A run makes at most `calls_max` calls and spends at most
    `money_max`, in the currency of `price_per_million` tokens. A request takes at most `timeout_s`
    seconds, and a batch is sent at most `attempts` times.
    """

    url: str = DEFAULT_URL
    key: Secret = SecretStr("")
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
        text = key.get_secret_value()
        if text and not (text.isascii() and text.isprintable() and " " not in text):
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
        """The API as encoders use it."""
        return TextApi(
            url=self.url,
            key=self.key.get_secret_value(),
            budget=Budget(self.calls_max, self.money_max, self.price_per_million),
            concurrency=self.concurrency,
            timeout_s=self.timeout_s,
            attempts=self.attempts,
            link_local=self.link_local,
        )


class LimitSettings(Table):
    """Limits of a run: refused rows, age of events, and the size and memory of a fleet's tasks.

    A run fails when more than `refused_share_max` of the rows are refused. Events that are more
    than `retention_days` older than the newest are not read; 0 reads all. Events after the day
    `as_of` (UTC) count as of its end; by default, so do those that are far after all others. A run
    fails when less than `joined_share_min` of the events of a source are of items in the
    catalogue; 0 never fails, and where all inputs together have more than `rows_max` rows.
    `memory_mb` is the maximum memory of a step on this machine, 0 for none.
    """

    refused_share_max: float = Field(default=0.02, ge=0, le=1)
    joined_share_min: float = Field(default=0.1, ge=0, le=1)
    rows_max: int = Field(default=ROWS_MAX, ge=1)
    retention_days: int = Field(default=0, ge=0)
    as_of: date | None = None
    shard_texts: int = Field(default=SHARD_TEXTS, ge=1, le=1_000_000)
    shard_items: int = Field(default=SHARD_ITEMS, ge=1, le=10_000_000)
    memory_mb: int = Field(default=0, ge=0)

    def as_of_s(self) -> int:
        """The last second of the day `as_of` in epoch seconds; 0 without one."""
        if self.as_of is None:
            return 0
        return int(datetime.combine(self.as_of, time.max, UTC).timestamp())


class ScheduleSettings(Table):
    """Scheduled work of the fleet: cron expressions of five fields in `time_zone`, empty for never.

    `reindex` builds all lists, `evaluation` evaluates the recipe, and `audit` compares the live
    lists with the artifacts.
    """

    reindex: str = ""
    evaluation: str = ""
    audit: str = ""
    time_zone: str = "UTC"


class MerchandisingSettings(Table):
    """The YAML file of merchandising rules that every reindex applies; empty for none.

    With `commit`, a draft that is applied is a commit of that file in its git repository.
    """

    rules: str = ""
    commit: bool = False


class EvaluationSettings(Table):
    """The test period: the last `days`, or everything from the day `test_from` (UTC)."""

    days: int = Field(default=30, ge=1)
    test_from: date | None = None

    def test_from_s(self) -> int | None:
        """The start of the test period in epoch seconds; None if `days` defines it."""
        if self.test_from is None:
            return None
        return int(datetime.combine(self.test_from, time(), UTC).timestamp())
