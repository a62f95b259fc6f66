"""What a lookup logs never costs an answer, nor ends its polls."""

import logging
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from recommender.serving.lookup import RelatedItems
from tests.serving.servers import until
from tests.serving.test_lookup import LISTS, Shelf

LOGS = ("core", "lookup_settings", "reader", "polling")


class Raising(logging.Handler):
    """A handler that raises for every record."""

    def __init__(self) -> None:
        super().__init__()
        self.records = 0

    def handle(self, record: logging.LogRecord) -> bool:
        self.records += 1
        raise RuntimeError("the log is broken")


@pytest.fixture(params=["handler", "filter"])
def broken(request: pytest.FixtureRequest) -> Iterator[Raising]:
    """Everything that a lookup logs raises."""
    raising = Raising()
    loggers = [logging.getLogger(f"recommender.serving.{name}") for name in LOGS]
    for log in loggers:
        log.addHandler(raising) if request.param == "handler" else log.addFilter(raising.handle)
    yield raising
    for log in loggers:
        log.removeHandler(raising)
        log.removeFilter(raising.handle)


@pytest.mark.fault(69)
def test_a_log_that_raises_costs_no_answer(broken: Raising, refused_port: int) -> None:
    url = f"redis://127.0.0.1:{refused_port}"
    with closing(RelatedItems(url, "acme", snapshot="nowhere.db")) as reader:
        assert {reader.get("a").status for _ in range(20)} == {"degraded"}
    assert broken.records >= 2


@pytest.mark.fault(69)
def test_a_log_that_raises_ends_no_polls(
    broken: Raising, server_url: str, store: Redis, shop: str
) -> None:
    shelf = Shelf(store, shop).put(1, LISTS).point(1, 1)
    with closing(RelatedItems(server_url, shop, deadline_s=5.0)) as reader:
        assert reader.get("a").status == "ok"
        assert reader.get("a", "elsewhere").status == "unknown_placement"
        store.set(shelf.keys.live, b"junk")
        until(lambda: reader.get("a").status == "stale")
        shelf.point(2, 1)
        until(lambda: reader.get("a").status == "ok")
    assert broken.records >= 2
