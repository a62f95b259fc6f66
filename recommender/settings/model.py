"""All settings of one shop, and what the engine needs of them.

`loading.py` reads them; `registry.py` knows the names that a recipe may use.
"""

import copy
import dataclasses
import functools
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from recommender.artifacts.audit_log import AuditLog
from recommender.artifacts.erasure import Forgotten
from recommender.artifacts.store import ArtifactStore
from recommender.build.gates import Gates
from recommender.build.job import Job
from recommender.core.recipe import Recipe
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError
from recommender.readers.fetching import Copies
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionSource, paths
from recommender.serving.urls import redacted
from recommender.settings.secrets import check_quoted
from recommender.settings.service import ServiceSettings
from recommender.settings.storefront import PlacementPage, StorefrontSettings
from recommender.settings.table import Table
from recommender.settings.tables import (
    ArtifactSettings,
    BrokerSettings,
    EvaluationSettings,
    LimitSettings,
    MerchandisingSettings,
    RecipeSettings,
    ScheduleSettings,
    StateSettings,
    StoreSettings,
    TextApiSettings,
)

RENAMED = {
    "recipe.placements.rules": "recipe.placements.filters",
    "recipe.text": "recipe.content.text",
}
"""Settings that were renamed, old dotted name to new: `recipe.placements.x` is `x` of every
placement. The old name is accepted for one release."""
_Sources = CatalogueSource | tuple[InteractionSource, ...]
_logger = logging.getLogger(__name__)


def current_names(tree: Mapping[str, Any], *, warn: bool = True) -> dict[str, Any]:
    """A copy of a tree of settings in which renamed settings have their new names.

    If both names are set, the value of the new one is kept.
    """
    copied = copy.deepcopy(dict(tree))
    for old, new in RENAMED.items():
        shared, before, after = _split(old, new)
        for table in tables_at(copied, shared):
            for source in tables_at(table, before[:-1]):
                if before[-1] not in source:
                    continue
                value, target = source.pop(before[-1]), table
                for part in after[:-1]:
                    target = target.setdefault(part, {})
                target.setdefault(after[-1], value)
                if warn:
                    warn_renamed(old, new)
    return copied


def current_name(dotted: str) -> str:
    """The current dotted name of a setting; `recipe.placements.0.x` is `x` of placement 0."""
    parts = dotted.split(".")
    places = [place for place, part in enumerate(parts) if not part.isdigit()]
    names = [parts[place] for place in places]
    for old, new in RENAMED.items():
        shared, before, after = _split(old, new)
        length = len(shared) + len(before)
        if names[:length] == [*shared, *before]:
            warn_renamed(old, new)
            start, end = places[len(shared)], places[length - 1] + 1
            return ".".join([*parts[:start], *after, *parts[end:]])
    return dotted


@functools.cache
def warn_renamed(old: str, new: str) -> None:
    """Warn, once in a process, that a setting has a new name."""
    _logger.warning("setting %s is now %s; the old name is accepted for one release", old, new)


def _split(old: str, new: str) -> tuple[list[str], list[str], list[str]]:
    """The names that two dotted names begin with, and the rest of each."""
    before, after = old.split("."), new.split(".")
    n = next(n for n, (x, y) in enumerate(zip(before, after, strict=False)) if x != y)
    return before[:n], before[n:], after[n:]


def tables_at(node: object, names: list[str]) -> Iterator[dict[str, Any]]:
    """The tables of a tree at a dotted name, in which `*` is any; lists have one an element."""
    if isinstance(node, list):
        for element in node:
            yield from tables_at(element, names)
    elif isinstance(node, dict) and not names:
        yield node
    elif isinstance(node, dict) and names[0] == "*":
        for value in node.values():
            yield from tables_at(value, names[1:])
    elif isinstance(node, dict) and names[0] in node:
        yield from tables_at(node[names[0]], names[1:])


def _masked(value: object) -> object:
    """A path or URL, or several, without users, passwords and secret options."""
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return redacted(value) if isinstance(value, str) and "://" in value else value


def _with_urls(tree: dict[str, Any], urls: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a record's settings in which the masked URLs of inputs are those of `urls`."""
    for table in [*tables_at(tree, ["catalogue"]), *tables_at(tree, ["interactions"])]:
        for name in {"url", "path"} & table.keys():
            given = table[name]
            several = isinstance(given, list)
            whole = [urls.get(each, each) for each in (given if several else [given])]
            table[name] = whole if several else whole[0]
    return tree


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, Mapping) else value


class Settings(Table):
    """All settings of one shop."""

    shop: str
    state: StateSettings = StateSettings()
    store: StoreSettings = StoreSettings()
    broker: BrokerSettings = BrokerSettings()
    artifacts: ArtifactSettings = ArtifactSettings()
    text_api: TextApiSettings = TextApiSettings()
    catalogue: CatalogueSource = Field(default_factory=CatalogueSource)
    interactions: Annotated[tuple[InteractionSource, ...], BeforeValidator(_one_or_many)] = ()
    recipe: RecipeSettings = RecipeSettings()
    placements: dict[str, PlacementPage] = Field(default_factory=dict)
    storefront: StorefrontSettings = StorefrontSettings()
    merchandising: MerchandisingSettings = MerchandisingSettings()
    gates: Gates = Gates()
    evaluation: EvaluationSettings = EvaluationSettings()
    limits: LimitSettings = LimitSettings()
    service: ServiceSettings = ServiceSettings()
    schedule: ScheduleSettings = ScheduleSettings()

    @field_validator("catalogue", "interactions")
    @classmethod
    def _quoted(cls, given: _Sources) -> _Sources:
        for source in (given,) if isinstance(given, CatalogueSource) else given:
            check_quoted(source.url)
        return given

    @model_validator(mode="after")
    def _of_pages(self) -> "Settings":
        names = [slot.name for slot in self.recipe.placements]
        for name in self.placements:
            if name not in names:
                raise ValueError(f"placements.{name}: the recipe has {', '.join(names)}")
        if self._storefront().get("languages") and not self.storefront.language:
            raise ValueError(
                "storefront.language: name the language of the other titles and headings, too"
            )
        return self

    def _storefront(self) -> dict[str, Any]:
        return self.storefront.plain(self.placements, self.catalogue.columns.titles)

    def source(self) -> ShopSource:
        """What is read, and how."""
        return ShopSource(
            catalogue=self.catalogue,
            interactions=self.interactions,
            refused_share_max=self.limits.refused_share_max,
            retention_days=self.limits.retention_days,
            joined_share_min=self.limits.joined_share_min,
            as_of=self.limits.as_of_s(),
            rows_max=self.limits.rows_max,
            copies=Copies(self.state.folder / "inputs" / self.shop),
        )

    def rule_file(self) -> Path | None:
        """The file of merchandising rules, or None."""
        return Path(self.merchandising.rules) if self.merchandising.rules else None

    def artifact_store(self) -> ArtifactStore:
        """The artifacts of this shop."""
        return ArtifactStore(
            self.artifacts.url or self.state.folder / "artifacts",
            self.shop,
            cache=self.state.folder / "cache",
            signing_key=self.artifacts.signing_key.get_secret_value().encode(),
        )

    def audit_log(self) -> AuditLog:
        """The log of changes, beside the artifacts; in the state folder if those are remote."""
        url = self.artifacts.url.removeprefix("file://")
        root = url or str(self.state.folder / "artifacts")
        folder = self.state.folder / "audit" if "://" in root else Path(root)
        return AuditLog(folder / self.shop / "audit.jsonl")

    def forgotten(self) -> Forgotten:
        """The users whose events are excluded from all builds."""
        return Forgotten(self.artifact_store(), self._user_key())

    def built_recipe(self) -> Recipe:
        """The recipe with the depths that `placements` sets. Raises: ConfigError."""
        recipe = self.recipe.recipe()
        depths = {name: page.depth for name, page in self.placements.items() if page.depth}
        placements = [
            dataclasses.replace(one, depth=depths.get(one.name, one.depth))
            for one in recipe.placements
        ]
        return dataclasses.replace(recipe, placements=tuple(placements))

    def job(self, progress: Progress = silent) -> Job:
        """The job that builds the lists of this shop."""
        return Job(
            shop=self.shop,
            source=self.source(),
            recipe=self.built_recipe(),
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
            storefront=self._storefront(),
        )

    def frozen_as(self, run: Mapping[str, Any]) -> "Settings":
        """The settings that a run began with, from its record, for use on this machine.

        The tables state, store, broker, artifacts, text_api and service, with their secrets, are
        those of this machine. Raises: ConfigError if another version wrote the record.
        """
        own = ("state", "store", "broker", "artifacts", "text_api", "service")
        here = {name: getattr(self, name) for name in own}
        then = _with_urls(current_names(run, warn=False), self._input_urls())
        try:
            return Settings.model_validate({**then, **here})
        except ValueError as error:
            raise ConfigError(f"the run's settings are of another version: {error}") from error

    def plain(self) -> dict[str, Any]:
        """The settings as in a file, with secrets masked and unset values omitted."""
        dumped = self.model_dump(mode="json", exclude={"recipe"}, exclude_none=True)
        plain: dict[str, Any] = {name: dumped.get(name) for name in type(self).model_fields}
        plain["store"]["url"] = redacted(self.store.url)
        plain["artifacts"]["url"] = redacted(self.artifacts.url)
        plain["broker"]["url"] = redacted(self.broker.url)
        for table in (plain["catalogue"], *plain["interactions"]):
            for name in ("url", "path"):
                table[name] = _masked(table[name])
        plain["recipe"] = self.built_recipe().plain()
        return plain

    def _input_urls(self) -> dict[str, str]:
        """The URLs of inputs, by their masked forms."""
        sources: tuple[CatalogueSource | InteractionSource, ...]
        sources = (self.catalogue, *self.interactions)
        urls = (url for source in sources for url in (source.url, *paths(source.path)))
        return {redacted(url): url for url in urls if "://" in url}

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
