"""The engine as a library: data frames in, related lists as data frames and in Redis out.

    built = Shop.from_frames(catalogue, orders, item="sku", basket="order_number").build("quick")
    built.related("4711")

The frames go through the readers and the pipeline of `recommender reindex`, in a folder that is
removed with the shop, unless one is named.
"""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from recommender.artifacts.store import Artifact
from recommender.build.contents import read_catalogue, related_lists
from recommender.build.job import Job, pinned
from recommender.build.repair import complete_all, discard_damaged
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.lists import RelatedLists
from recommender.core.redaction import conceal_url
from recommender.core.related import EVIDENCE
from recommender.core.telemetry import Progress, silent
from recommender.errors import ConfigError, DataError
from recommender.evaluation.experiments import evaluate, heading, verdict
from recommender.evaluation.external_lists import entries_table
from recommender.evaluation.harness import EvaluationPlan, ProtocolName, judge_of
from recommender.evaluation.report import ALL
from recommender.pipeline import read_and_planned, reindex
from recommender.publishing.publisher import Publisher
from recommender.readers.columns import Header, map_catalogue, map_interactions
from recommender.readers.frames import Frame, table_of, write_table
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import (
    CatalogueColumns,
    InteractionColumns,
    InteractionSource,
)
from recommender.serving.connection import open_store
from recommender.serving.keys import check_shop
from recommender.settings.loading import load_without_file
from recommender.settings.model import Settings

CATALOGUE, INTERACTIONS = "catalogue", "interactions"
COLUMNS = ("item", "related", "title", "placement", "rank", "score", "evidence")
"""The columns of `BuiltShop.lists`."""
_OF_CATALOGUE = {each.name for each in fields(CatalogueColumns)}
_OF_INTERACTIONS = {each.name for each in fields(InteractionColumns)} - {*("title", "price")}
Names = str | tuple[str, ...] | list[str]


class Columns(TypedDict, total=False):
    """The column that each field is read from, where it has another name than the field.

    `item` is a column of both frames, or the catalogue's and that of the interactions. The other
    fields are those of `CatalogueColumns`, and of `InteractionColumns` from `basket` on.
    """

    item: str | tuple[str, str]
    title: Names
    description: Names
    brand: str
    category: Names
    price: str
    group: Names
    in_stock: str
    available_from: str
    url: Names
    image: Names
    currency: Names
    status: Names
    variants: str
    attributes: tuple[str, ...] | list[str]
    basket: str
    session: str
    user: str
    kind: str
    time: str
    quantity: str


class _FrameFolder:
    """A private folder that is removed once nothing refers to it any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="recommender-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Shop:
    """The data of one shop: `tables` are the settings with which it is read."""

    name: str
    tables: Mapping[str, Mapping[str, Any]]
    state: Path
    _frames: _FrameFolder = field(repr=False, compare=False)

    @classmethod
    def from_frames(
        cls,
        catalogue: Frame,
        interactions: Frame,
        *,
        name: str = "shop",
        weights: Mapping[str, float] | None = None,
        folder: str | Path | None = None,
        **columns: Unpack[Columns],
    ) -> "Shop":
        """Take the data of a shop from a frame of items and one of interactions.

        Args:
            catalogue: one row an item: id and title, and what else of `Columns` is known.
            interactions: one row an item of an order, or any other event.
            name: the shop's name in the keys of Redis.
            weights: what an event of each kind counts; without them, purchases count 1.
            folder: where builds and text vectors are kept for the next session; by default, they
                are removed with the shop.
            **columns: the names of columns that differ from those of the fields.

        Raises: ConfigError for a field or a column that does not exist, with the likely one;
        DataError for a frame that cannot be read.

        """
        check_shop(name)
        of_items, of_events = _by_frame(columns)
        frames = _FrameFolder()
        items, events = table_of(catalogue, CATALOGUE), table_of(interactions, INTERACTIONS)
        weighed: dict[str, Any] = {} if weights is None else {"weights": dict(weights)}
        try:
            source = InteractionSource(INTERACTIONS, InteractionColumns(**of_events), **weighed)
            item_columns = CatalogueColumns(**of_items)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        read = map_catalogue(Header(CATALOGUE, tuple(items.column_names)), item_columns)
        write_table(items, frames.path / CATALOGUE, read.id_columns())
        header = Header(INTERACTIONS, tuple(events.column_names))
        mapping = map_interactions(header, source, INTERACTIONS, with_titles=False)
        write_table(events, frames.path / INTERACTIONS, mapping.id_columns())
        tables = {
            table: {"path": str(frames.path / table), "format": "parquet", "columns": named}
            for table, named in ((CATALOGUE, of_items), (INTERACTIONS, of_events))
        }
        tables[INTERACTIONS] |= weighed
        state = frames.path / "state" if folder is None else Path(folder).expanduser().absolute()
        return cls(name, tables, state, frames)

    def build(
        self,
        recipe: str | Path | Mapping[str, Any] = "default",
        *assignments: str,
        progress: Progress = silent,
    ) -> "BuiltShop":
        """Build the related lists of all items; what was built before is used again.

        `recipe` is the name of one that ships with the package, the path of a recipe file, or its
        tables. `assignments` are further settings, as `--set` takes them:
        `build("quick", "recipe.content.text=hashing")`.

        Raises: ConfigError, DataError, ArtifactError or ProviderFailed, as `recommender reindex`.
        """
        chosen = dict(recipe) if isinstance(recipe, Mapping) else str(recipe)
        own = {"shop": self.name, "state": {"folder": str(self.state)}, "recipe": chosen}
        settings = load_without_file({**self.tables, **own}, assignments)
        job = pinned(replace(settings.job(progress), source=self._source(settings)))
        planned = read_and_planned(job)
        if discard_damaged(planned.goal):
            planned = read_and_planned(job)
        complete_all(planned.goal, job.stopwatch)
        build = planned.goal.artifact()
        items = read_catalogue(job.artifacts, build)
        lists = {one.placement: one for one in related_lists(job.artifacts, build)}
        return BuiltShop(self, settings, job, build, items, lists)

    def _source(self, settings: Settings) -> ShopSource:
        """What is read, in which messages name the frames and not their files."""
        return replace(
            settings.source(),
            base=self._frames.path,
            catalogue=replace(settings.catalogue, path=CATALOGUE),
            interactions=tuple(replace(one, path=INTERACTIONS) for one in settings.interactions),
        )


@dataclass(frozen=True, slots=True)
class BuiltShop:
    """The related lists of a shop by one recipe."""

    shop: Shop = field(repr=False)
    settings: Settings = field(repr=False)
    job: Job = field(repr=False)
    artifact: Artifact
    _items: Catalogue = field(repr=False)
    _lists: Mapping[str, RelatedLists] = field(repr=False)

    @property
    def report(self) -> Mapping[str, Any]:
        """How many rows of each frame were kept, left out and refused, and why."""
        found: Mapping[str, Any] = self.artifact.summary["report"]
        return found

    def related(self, item: str | int, n: int = 12, *, placement: str = "") -> pd.DataFrame:
        """The first `n` related items of one item, best first, in the columns of `lists`.

        The placement is the first of the recipe unless it is named.
        Raises: DataError for an unknown item; ConfigError for an unknown placement.
        """
        placement = placement or next(iter(self._lists))
        if placement not in self._lists:
            raise ConfigError(f"placement {placement!r}: there are {', '.join(self._lists)}")
        if (row := self._items.ids.rows([str(item)])[0]) < 0:
            raise DataError(f"item {str(item)!r:.60} is not in the catalogue")
        entries = self._lists[placement].of(row)[: max(n, 0)]
        rows = entries.rows.tolist()
        columns = {
            "item": str(item),
            "related": [self._items.ids.ids[other] for other in rows],
            "title": [self._items.title[other] for other in rows],
            "placement": placement,
            "rank": np.arange(1, len(rows) + 1),
            "score": entries.scores,
            "evidence": [EVIDENCE[code] for code in entries.evidence.tolist()],
        }
        return pd.DataFrame(columns, columns=list(COLUMNS))

    def lists(self) -> pd.DataFrame:
        """All entries of all lists: item, related, its title, placement, rank, score, evidence.

        Ranks are from 1. Best sellers that fill a list up have the evidence `popular`.
        """
        entries: pd.DataFrame = entries_table(self.job, self.artifact).to_pandas()
        return entries[list(COLUMNS)]

    def evaluate(
        self,
        *,
        protocol: ProtocolName = "basket",
        days: int = 30,
        test: bool = False,
        folds: int = 3,
    ) -> pd.DataFrame:
        """Evaluate the recipe and the baselines on held-out events, one row a system.

        The recipe comes first. The columns are the means of `recommender evaluate`, and the bounds
        of the 95 % interval of NDCG@10; `attrs` has the heading, the verdict and the notes. The
        arguments are those of `EvaluationPlan`.

        Raises: DataError where the events are too few to hold some out.
        """
        plan = EvaluationPlan(days=days, test=test, folds=folds, protocol=protocol)
        found = evaluate(self.job, plan)
        rows = {}
        for one in found.results:
            metrics = one.slices[ALL].metrics
            bounds = {"ndcg_low": metrics["ndcg"].low, "ndcg_high": metrics["ndcg"].high}
            means = {metric: mean.value for metric, mean in metrics.items()}
            rows[one.name] = {**means, **bounds, **one.lists}
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("system")
        frame.attrs = {"heading": heading(found), "verdict": verdict(found), "notes": found.notes}
        return frame

    def publish(self, url: str, *, force: bool = False) -> Generation:
        """Publish the lists to the Redis at `url`, and return the generation that is live then.

        As `recommender reindex`: gates may hold the lists, unless `force`, and nothing is published
        where the same lists are live.

        Raises: ConfigError for a URL of no Redis; GateHeld; StoreUnavailable.
        """
        conceal_url(url)
        made, judge = self.settings, judge_of(self.settings.evaluation)
        with open_store(url) as store:
            publisher = Publisher(store, self.shop.name, lease_s=made.store.lease_s)
            return reindex(self.job, publisher, made.gates, force=force, judge=judge).generation


def _by_frame(columns: Columns) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of both frames, by field. Raises: ConfigError."""
    if unknown := columns.keys() - _OF_CATALOGUE - _OF_INTERACTIONS:
        field_name = min(unknown)
        known = sorted(_OF_CATALOGUE | _OF_INTERACTIONS)
        near = get_close_matches(field_name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"unknown field {field_name!r}; {hint}There are: {', '.join(known)}")
    given = {
        name: tuple(value) if isinstance(value, list) else value for name, value in columns.items()
    }
    item = given.pop("item", "item_id")
    items, sold = item if isinstance(item, tuple) else (item, item)
    of_items = {"item": items} | {name: given[name] for name in given.keys() & _OF_CATALOGUE}
    of_events = {"item": sold} | {name: given[name] for name in given.keys() & _OF_INTERACTIONS}
    return of_items, of_events
