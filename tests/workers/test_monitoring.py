"""Metrics of a fleet whose servers are off."""

from prometheus_client import CollectorRegistry, generate_latest

from workers.monitoring import GAUGES, FleetCollector


def test_what_cannot_be_read_is_not_up() -> None:
    registry = CollectorRegistry()
    registry.register(FleetCollector())
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'recommender_up{part="broker"} 0.0',
        'recommender_up{part="shop",shop="acme"} 0.0',
    ]
    assert [line for line in lines if line.startswith("# TYPE")] == [
        f"# TYPE {name} gauge" for name in GAUGES
    ]
