"""Answers the questions of agents about one shop; reads only, and raises errors that say why."""

import dataclasses
import math
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from recommender.agents.questions import (
    ExplainQuestion,
    HealthQuestion,
    ItemsQuestion,
    RelatedQuestion,
    SearchQuestion,
)
from recommender.build.contents import placements, read_catalogue
from recommender.build.job import resumed
from recommender.core.generation import Generation
from recommender.core.related import RelatedList
from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.insights.explain import explain
from recommender.insights.search import Filters, Searcher, searcher_of
from recommender.live.live_state import readable_state
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.publishing.servers import StoredLists
from recommender.serving.connection import Store, open_store
from recommender.serving.expressions import ExpressionError
from recommender.serving.field_columns import Fields
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from recommender.serving.records import at_store, decoded
from recommender.settings.model import Settings

DEADLINE_S = 2.0
MAX_SHOWN_TITLE = 300
SHOWN = ("title", "price", "currency", "in_stock", "stock")
"""The fields of items in lists; `items` shows all."""
REASONS: Mapping[str, str] = {
    "text": "its texts or pictures are similar",
    "behaviour": "customers buy or view the two together",
    "both": "it is similar, and customers buy or view the two together",
    "popular": "a best seller that fills up the list",
    "rule": "a merchandising rule or the shop's exploration placed it",
}
UNREAD = frozenset({"stale", "fallback", "degraded"})
OFF = "the store cannot be read; try again later, and ask health what is live"


class AgentShop:
    """One shop as agents see it, whose store is at `url`. Thread-safe."""

    def __init__(self, settings: Settings, url: str) -> None:
        self._settings, self._url, self.shop = settings, url, settings.shop
        self._lookup = RelatedItems(
            url, settings.shop, deadline_s=DEADLINE_S, client_name="recommender-mcp"
        )
        self._loading = threading.Lock()
        self._searcher: Searcher | None = None

    def close(self) -> None:
        """End the lookup's connections."""
        self._lookup.close()

    def related(self, asked: RelatedQuestion) -> dict[str, Any]:
        """The related items of an item, or of several together, as a storefront gets them.

        Raises: DataError for an unknown item or placement; ConfigError; StoreUnavailable.
        """
        names = [slot.name for slot in self._settings.recipe.placements]
        placement = asked.placement or names[0]
        if placement not in names:
            raise ConfigError(f"placement {placement!r}: the shop has {', '.join(names)}")
        fields: dict[str, Any] = {"records": True, "store": asked.store}
        fields |= {"where": asked.where, "boost": asked.boost}
        try:
            if len(asked.items) == 1:
                answer = self._lookup.get(asked.items[0], placement, asked.n, **fields)
            else:
                answer = self._lookup.for_items(asked.items, placement, asked.n, **fields)
        except ExpressionError as error:
            raise ConfigError(f"where or boost: {error}") from error
        return self._plain(asked, answer)

    def _plain(self, asked: RelatedQuestion, answer: RelatedList) -> dict[str, Any]:
        if answer.status == "degraded":
            raise StoreUnavailable(OFF)
        if answer.status == "unknown_item":
            raise DataError(f"item {asked.items[0]!r}: {self._no_such(answer.generation)}")
        if answer.status == "unknown_placement":
            raise DataError(f"placement {answer.placement!r}: not in the live generation yet")
        records = answer.records or [{}] * len(answer.items)
        return {
            "shop": self.shop,
            "items": list(asked.items),
            "placement": answer.placement,
            "generation": answer.generation,
            "status": answer.status,
            "degraded": answer.status in UNREAD,
            "dropped": dict(answer.dropped),
            "related": [
                {"id": one.id, "score": round(one.score, 4), "reason": REASONS[one.evidence]}
                | _shown(record)
                for one, record in zip(answer.items, records, strict=True)
            ],
        }

    def search(self, asked: SearchQuestion) -> dict[str, Any]:
        """The items whose texts fit a few words. Raises: RecommenderError."""
        with open_store(self._url) as store:
            live = _live(Publisher(store, self.shop))
            withheld = Hidden(store, self.shop).withheld()
            price_max = math.inf if asked.price_max is None else asked.price_max
            filters = Filters(asked.category, asked.in_stock, price_max, withheld)
            hits = self._search(live.id).find(asked.words, asked.n, filters)
            records = _records(store, self.shop, [hit.item for hit in hits])
        found = [
            {"id": hit.item, "score": hit.score, "found_by": hit.fit, "title": _cut(hit.title)}
            | _shown(records[hit.item])
            for hit in hits
        ]
        return {"shop": self.shop, "generation": live.id, "items": found}

    def _search(self, generation: int) -> Searcher:
        """The searcher of a generation, which is loaded once."""
        with self._loading:
            if self._searcher is None or self._searcher.generation != generation:
                api = self._settings.text_api.text_api()
                self._searcher = searcher_of(self._settings.artifact_store(), generation, api)
            return self._searcher

    def explain(self, asked: ExplainQuestion) -> dict[str, Any]:
        """Why one item is in the list of another, or why not. Raises: RecommenderError."""
        artifacts = self._settings.artifact_store()
        with open_store(self._url) as store:
            live = readable_state(artifacts, Publisher(store, self.shop))
        catalogue = read_catalogue(artifacts, live.build)
        for item in (asked.item, asked.other):
            if item not in catalogue.ids:
                raise DataError(f"item {item!r}: {self._no_such(live.number)}")
        names = placements(live.build)
        if asked.placement and asked.placement not in names:
            raise ConfigError(f"placement {asked.placement!r}: the shop has {', '.join(names)}")
        job = resumed(self._settings.frozen_as(live.run.settings).job(), live.run)
        rows = catalogue.ids.row(asked.item), catalogue.ids.row(asked.other)
        found = explain(job, live, rows, asked.placement or names[0])
        return {
            "shop": self.shop,
            "generation": live.number,
            "in_list": found.standing is not None,
            **dataclasses.asdict(found),
        }

    def items(self, asked: ItemsQuestion) -> dict[str, Any]:
        """The records of some items, and whether the shop withholds them. Raises: RecommenderError.

        An item that has no record is among the `unknown`.
        """
        with open_store(self._url) as store:
            records = _records(store, self.shop, asked.items)
            hidden = Hidden(store, self.shop).withheld()
        known = [item for item in records if records[item]]
        return {
            "shop": self.shop,
            "items": [{**records[item], "id": item, "withheld": item in hidden} for item in known],
            "unknown": [item for item in records if not records[item]],
        }

    def health(self, _asked: HealthQuestion) -> dict[str, Any]:
        """What is live, how old it is, and whether answers are degraded."""
        try:
            with open_store(self._url) as store:
                live = Publisher(store, self.shop).live()
        except StoreUnavailable:
            return {"shop": self.shop, "status": "degraded", "degraded": True, "advice": OFF}
        if live is None:
            advice = "nothing is published yet; run recommender reindex"
            return {"shop": self.shop, "status": "empty", "degraded": True, "advice": advice}
        return {
            "shop": self.shop,
            "status": "ok",
            "degraded": False,
            "generation": live.id,
            "published": datetime.fromtimestamp(live.created_at, UTC).isoformat(),
            "age_s": max(int(time.time()) - live.created_at, 0),
            "items": live.n_items,
            "lists": live.n_lists,
            "placements": [slot.name for slot in self._settings.recipe.placements],
        }

    def _no_such(self, generation: int) -> str:
        return f"not in the live generation {generation}; find its id with search"


def _live(publisher: Publisher) -> Generation:
    live = publisher.live()
    if live is None:
        raise DataError("nothing is published yet; run recommender reindex")
    return live


def _records(store: Store, shop: str, items: Sequence[str]) -> dict[str, Fields]:
    """The records of items with what changed of them, empty for those that have none."""
    keys, publisher = Keys(shop), Publisher(store, shop)
    _live(publisher)
    _, layers = publisher.layers()
    of_item = {
        item: [*(keys.record(layer.id, item) for layer in layers), keys.change(item)]
        for item in dict.fromkeys(items)
    }
    names = [name for several in of_item.values() for name in several]
    values = dict(zip(names, StoredLists(store).read(names), strict=True)) if names else {}
    return {
        item: at_store(decoded([values[name] for name in several], item), "")
        for item, several in of_item.items()
    }


def _shown(record: Fields) -> dict[str, Any]:
    """What a list shows of a record."""
    shown = {name: record[name] for name in SHOWN if name in record}
    return shown | {"title": _cut(shown["title"])} if "title" in shown else shown


def _cut(title: object) -> str:
    text = str(title)
    return text if len(text) <= MAX_SHOWN_TITLE else f"{text[: MAX_SHOWN_TITLE - 1]}…"
