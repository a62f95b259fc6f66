"""The counters of one service, and the health of its shops."""

from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from recommender.core.related import RelatedList, Status
from recommender.service.metrics import UNREAD, ServiceMetrics


def answer(status: Status) -> RelatedList:
    return RelatedList("a", "related", 7, status, (), "t")


def samples(metrics: ServiceMetrics) -> dict[tuple[str, ...], float]:
    """The value of each sample by its name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("status", get_args(Status))
def test_each_list_counts_under_its_shop_and_status(status: Status) -> None:
    metrics = ServiceMetrics({"acme": dict, "beta": dict})
    metrics.count_list("acme", answer(status))
    found = samples(metrics)
    counted = {
        key[1:] for key, value in found.items() if key[0] == "recommender_answers_total" and value
    }
    assert counted == {("acme", status)}
    assert found["recommender_answers_total", "beta", status] == 0


@pytest.mark.parametrize("status", get_args(Status))
def test_redis_was_read_unless_the_list_shows_that_it_could_not_be(status: Status) -> None:
    metrics = ServiceMetrics({"acme": dict})
    assert metrics.health()["acme"].last_status is None
    metrics.count_list("acme", answer(status))
    health = metrics.health()["acme"]
    assert health.last_status == status
    assert (health.read_seconds_ago is None) == (status in UNREAD)


def test_the_counters_of_a_lookup_are_read_when_they_are_asked_for() -> None:
    polls = {"polls": 1}
    metrics = ServiceMetrics({"acme": lambda: polls})
    assert samples(metrics)["recommender_lookup", "acme", "polls"] == 1
    polls["polls"] = 5
    assert samples(metrics)["recommender_lookup", "acme", "polls"] == 5


def test_services_of_one_process_count_apart() -> None:
    one, other = (ServiceMetrics({"acme": dict}) for _ in range(2))
    one.count_list("acme", answer("ok"))
    assert samples(other)["recommender_answers_total", "acme", "ok"] == 0
