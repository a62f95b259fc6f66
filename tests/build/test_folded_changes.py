"""Live changes that a reindex folds in, on a real server."""

import dataclasses
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from recommender import pipeline
from recommender.build.folded_changes import bring_back, with_changes
from recommender.build.gates import Gates
from recommender.build.job import pinned, pins_of
from recommender.core.related import RelatedList
from recommender.pipeline import Outcome
from recommender.publishing.item_changes import ItemChanges
from recommender.publishing.publisher import Publisher
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import load
from tests.serving.servers import until
from tests.support.shop_files import SETTINGS, orders, write_shop

BASKETS = [("a", "b", "c", "d", "e"), ("a", "b", "d"), ("b", "c", "e")] * 2
FILTER = 'filters = ["in-stock"]\n'
OPEN = Gates(items_share_min=0, entries_share_min=0, coverage_share_min=0, overlap_min=0)


def catalogue(**columns: Mapping[str, object]) -> str:
    lines = ["item_id,title,price,in_stock,margin"]
    for item in "abcde":
        fields = {"title": f"Title {item}", "price": 10, "in_stock": int(item != "e"), "margin": 1}
        fields |= {name: by_item.get(item, fields[name]) for name, by_item in columns.items()}
        lines.append(",".join([item, *map(str, fields.values())]))
    return "\n".join(lines) + "\n"


class Shop:
    """A shop whose catalogue changes, with its live changes and a lookup of its lists."""

    def __init__(self, folder: Path, store: Redis, url: str, shop: str) -> None:
        self.folder, self.store, self.url, self.name = folder, store, url, shop
        settings = SETTINGS.replace('shop = "acme"', f'shop = "{shop}"') + FILTER
        write_shop(folder, orders(*BASKETS), catalogue=catalogue(), settings=settings)
        with (folder / "recommender.toml").open("a") as file:
            file.write('columns.attributes = ["margin"]\n')
        self.changes = ItemChanges(store, shop)
        self.publisher = Publisher(store, shop, grace_s=0.0)

    def reindex(self, *, force: bool = False, canary_share: float = 0.0) -> Outcome:
        self.job = load(self.folder / "recommender.toml", []).job()
        return pipeline.reindex(
            self.job, self.publisher, OPEN, force=force, canary_share=canary_share
        )

    def rewrite(self, **columns: Mapping[str, object]) -> None:
        (self.folder / "catalogue.csv").write_text(catalogue(**columns))

    def related(self, item: str = "a") -> RelatedList:
        """What a reader that begins now shows."""
        with closing(RelatedItems(self.url, self.name, deadline_s=5.0)) as reader:
            assert reader.wait_ready()
            return reader.get(item, records=True)

    def record(self, item: str) -> Mapping[str, Any]:
        answer = self.related("a" if item != "a" else "b")
        return answer.records[answer.ids.index(item)]


@pytest.fixture
def made(tmp_path: Path, store: Redis, server_url: str, shop: str) -> Shop:
    made = Shop(tmp_path, store, server_url, shop)
    made.reindex()
    return made


def test_changes_are_in_the_next_build_and_leave_the_live_layer(made: Shop) -> None:
    made.changes.update(
        [
            {"id": "b", "version": 1, "price": 4.5, "margin": 7, "stock": {"berlin": 2, "bonn": 0}},
            {"id": "c", "version": 1, "stock": 0},
            {"id": "d", "version": 1, "deleted": True, "title": "Gone"},
            {"id": "unknown", "version": 1, "price": 1},
        ]
    )
    assert made.reindex().published
    assert made.changes.all() == {
        "c": {"stock": 0, "version": 1},
        "d": {"deleted": True, "version": 1},
    } | {"unknown": {"price": 1, "version": 1, "versions": {"price_minor": 1}}}
    answer = made.related()
    assert answer.ids == ("b",), "c is sold out, d deleted, e sold out in the catalogue"
    assert (answer.records[0]["price"], answer.records[0]["margin"]) == (4.5, 7)
    assert answer.records[0]["stock"] == 2
    raw = made.store.get(f"rec:{made.name}:{made.publisher.stored.seen().generation}:related:a")
    assert isinstance(raw, bytes)
    assert raw.split(b"\n")[1] == b"b", "filters of the build saw the stock"
    assert not made.reindex().published, "nothing changed since"
    assert made.reindex(force=True).published
    assert made.record("b")["price"] == 4.5, "the same catalogue says nothing newer"


def test_a_newer_catalogue_replaces_changes(made: Shop) -> None:
    made.changes.update(
        [
            {"id": "b", "version": 1, "price": 4.5, "stock": 0, "rating": 3},
            {"id": "d", "version": 1, "deleted": True},
        ]
    )
    made.rewrite(title={"c": "Another"})
    made.reindex()
    assert "b" not in made.related().ids, "the change came after the build before"
    made.rewrite(title={"c": "New"}, price={"b": 6})
    made.reindex()
    record = made.record("b")
    assert (record["price"], record["stock"], record["rating"]) == (6, 1, 3)
    assert made.changes.all() == {"d": {"deleted": True, "version": 1}}
    assert "d" not in made.related().ids
    assert not made.reindex().published


def test_a_change_that_arrives_during_the_build_stays(
    made: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.changes.update([{"id": "b", "version": 1, "price": 4.5}, {"id": "c", "price": 3}])
    publish = Publisher.publish

    def published(self: Publisher, *given: Any, **named: Any) -> object:  # noqa: ANN401
        made.changes.update([{"id": "b", "version": 2, "price": 5.5}])
        return publish(self, *given, **named)

    monkeypatch.setattr(Publisher, "publish", published)
    made.reindex()
    assert list(made.changes.all()) == ["b"]
    assert made.record("b")["price"] == 5.5
    monkeypatch.undo()
    made.reindex()
    assert made.changes.all() == {}
    assert made.record("b")["price"] == 5.5


def test_null_ends_a_change_that_a_build_has(made: Shop) -> None:
    made.changes.update([{"id": "b", "version": 1, "price": 4.5}])
    made.reindex()
    made.changes.update([{"id": "b", "version": 2, "price": None}])
    made.reindex()
    assert made.record("b")["price"] == 10


def test_a_rollback_keeps_what_changed(made: Shop) -> None:
    made.changes.update([{"id": "b", "version": 1, "price": 4.5}])
    made.reindex()
    assert made.changes.all() == {}
    bring_back(made.job.artifacts, made.publisher)
    made.publisher.rollback()
    assert made.record("b")["price"] == 4.5
    made.reindex()
    assert made.record("b")["price"] == 4.5
    assert made.changes.all() == {}


def test_a_canary_leaves_changes_as_they_are(made: Shop) -> None:
    made.changes.update([{"id": "b", "version": 1, "price": 4.5}])
    made.reindex(canary_share=0.5)
    assert list(made.changes.all()) == ["b"]


def test_a_sold_out_item_returns_with_its_stock(made: Shop) -> None:
    made.changes.update([{"id": "b", "version": 1, "stock": 0}])
    made.reindex()
    made.changes.update([{"id": "b", "version": 2, "price": 3}])
    assert "b" not in made.related().ids
    made.changes.update([{"id": "b", "version": 3, "stock": 4}])
    made.reindex()
    until(lambda: "b" in made.related().ids)
    assert made.changes.all() == {}
    made.changes.update([{"id": "b", "version": 4, "price": 2}])
    assert made.record("b")["stock"] == 4


def test_a_run_without_changes_has_no_pins_of_them(made: Shop) -> None:
    job = with_changes(pinned(made.job), made.publisher)
    assert pins_of(job).changes == ""
    chosen = dataclasses.replace(job, pins=dataclasses.replace(pins_of(job), changes="x"))
    assert with_changes(chosen, made.publisher) is chosen
