"""Periods: which are due, and that each is begun once."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from redis import Redis

from recommender.artifacts.runs import Run
from recommender.artifacts.store import ArtifactStore
from recommender.core.catalogue import Catalogue
from recommender.errors import ConfigError
from recommender.publishing.publisher import Publisher
from recommender.publishing.records import Records
from recommender.settings.tables import ScheduleSettings
from tests.serving import builds
from workers import reconciliation
from workers.reconciliation import due, last_period

NOW = datetime(2026, 3, 10, 2, 30, 15, tzinfo=UTC)  # a Tuesday


@pytest.fixture
def publisher(store: Redis) -> Publisher:
    store.flushall()
    return Publisher(store, "acme")


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("30 2 * * *", "UTC", (2, 30)),
        ("0 2 * * *", "UTC", (2, 0)),
        ("31 2 * * *", "UTC", None),
        ("30 1 * * *", "UTC", None),
        ("45 1 * * tue", "UTC", (1, 45)),
        ("45 1 * * mon", "UTC", None),
        ("45 1 * * 2", "UTC", (1, 45)),
        ("45 1 10 3 *", "UTC", (1, 45)),
        ("45 1 11 3 *", "UTC", None),
        ("30 3 * * *", "Europe/Berlin", (2, 30)),
        ("30 2 * * *", "Europe/Berlin", None),
        ("*/20 * * * *", "UTC", (2, 20)),
    ],
)
def test_the_last_period(expression: str, zone: str, expected: tuple[int, int] | None) -> None:
    found = last_period(expression, zone, NOW)
    assert (found and (found.hour, found.minute)) == expected


@pytest.mark.parametrize("expression", ["", "x", "1 2 3", "61 * * * *", "* * * * * *", "@daily"])
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(ConfigError, match="not a cron expression of five fields"):
        last_period(expression, "UTC", NOW)


def test_no_such_zone() -> None:
    with pytest.raises(ConfigError, match=r"schedule\.time_zone = 'Mars/Olympus'"):
        last_period("* * * * *", "Mars/Olympus", NOW)


@pytest.mark.fault(29)
@pytest.mark.server
def test_however_many_ask_each_period_is_begun_once(publisher: Publisher) -> None:
    settings = ScheduleSettings(reindex="30 2 * * *", audit="*/5 * * * *")
    begun: list[str] = []
    asking = threading.Barrier(8)

    def ask() -> None:
        asking.wait()
        begun.extend(due(settings, publisher, NOW))

    beats = [threading.Thread(target=ask) for _ in range(8)]
    for beat in beats:
        beat.start()
    for beat in beats:
        beat.join()
    assert sorted(begun) == ["audit", "reindex"]
    later = list(due(settings, publisher, NOW + timedelta(minutes=5)))
    assert later == ["audit"]
    assert list(due(settings, publisher, NOW + timedelta(days=1))) == ["reindex", "audit"]


@pytest.mark.server
def test_nothing_is_due_without_a_schedule(publisher: Publisher, tmp_path: Path) -> None:
    assert list(due(ScheduleSettings(), publisher, NOW)) == []


@pytest.mark.parametrize(("fence", "restored"), [(2, 3), (3, None), (4, None)])
def test_a_run_that_a_failover_lost_is_published_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fence: int, restored: int | None
) -> None:
    live = SimpleNamespace(id=2, lists_key="gone")
    publisher = cast("Publisher", SimpleNamespace(live=lambda: live))
    monkeypatch.setattr(reconciliation, "live_fence", lambda _publisher: fence)
    recent = [Run("acme", number, "published", {}, {}) for number in (3, 2)]
    found = reconciliation._broken(ArtifactStore(tmp_path, "acme"), publisher, recent)
    assert (found and found.number) == restored


@pytest.mark.server
@pytest.mark.parametrize(("lost", "missing"), [((), 0), (("@",), 1), (("@", "related"), 2)])
def test_lists_and_records_that_were_evicted_are_missed(
    publisher: Publisher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lost: tuple[str, ...],
    missing: int,
) -> None:
    ids = builds.item_ids(5)
    catalogue = Catalogue.of_titles(ids, [f"title {item}" for item in ids.ids])
    lists = [builds.related_lists(5)]
    live = publisher.publish(
        ids, lists, records=Records.of(catalogue), lists_key="k", recipe_digest="r"
    )
    named = SimpleNamespace(ids=ids.ids)
    monkeypatch.setattr(reconciliation, "find_build", lambda *_: None)
    monkeypatch.setattr(reconciliation, "read_ids", lambda *_: named)
    monkeypatch.setattr(reconciliation, "placements", lambda *_: ["related"])
    for placement in lost:
        publisher.store.delete(publisher.keys.related_list(live.id, placement, "item-3"))
    assert reconciliation._missing(ArtifactStore(tmp_path, "acme"), publisher, live) == missing
