"""Rates, on a clock that only the test moves."""

import pytest

from recommender.service import rates
from recommender.service.rates import MAX_NAMES, RateLimit, network_of


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rates, "time", clock)
    return clock


def passed(limit: RateLimit, name: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        if not limit.wait_s(name):
            limit.count(name)
            count += 1
    return count


def test_a_burst_passes_and_then_the_rate(clock: Clock) -> None:
    limit = RateLimit(2, 6)
    assert passed(limit, "a", 10) == 6
    assert passed(limit, "b", 10) == 6
    assert limit.wait_s("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert passed(limit, "a", 10) == 1
    clock.now += 3600
    assert passed(limit, "a", 10) == 6


def test_what_is_refused_costs_nothing(clock: Clock) -> None:
    limit = RateLimit(1, 1)
    assert passed(limit, "a", 1000) == 1
    clock.now += 1
    assert passed(limit, "a", 1) == 1


def test_zero_is_no_limit(clock: Clock) -> None:
    assert passed(RateLimit(0, 0), "a", 1000) == 1000


def test_few_names_are_remembered(clock: Clock) -> None:
    limit = RateLimit(0.001, 1)
    for number in range(MAX_NAMES + 1):
        limit.count(f"{number}")
    assert len(limit._free_at) == MAX_NAMES
    assert not limit.wait_s("0")
    assert limit.wait_s("1")


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_a_client_of_ipv6_counts_by_its_network(host: str, network: str) -> None:
    assert network_of(host) == network
