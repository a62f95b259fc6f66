from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from recommender.insights.doctor import (
    Diagnosis,
    examine_folder,
    examine_inputs,
    examine_servers,
    examine_store,
)
from recommender.publishing.inspection import ServerFacts, inspect

WELL = ServerFacts("Redis", (8, 2, 2), "noeviction", 1 << 30, False, False, ("127.0.0.1",))


def worst(findings: list[Diagnosis]) -> dict[str, str]:
    return {f.verdict: f.detail for f in findings if f.verdict != "ok"}


def test_a_server_that_is_well() -> None:
    assert worst(examine_store(WELL)) == {}
    assert worst(examine_store(replace(WELL, open_to_all=None, addresses=None))) == {}


@pytest.mark.fault("S5", "S6")
@pytest.mark.parametrize(
    ("facts", "verdict", "reported"),
    [
        (replace(WELL, version=(6, 2, 14)), "warning", "cannot swap at full memory"),
        (replace(WELL, version=(8, 2, 1)), "warning", "CVE-2025-49844"),
        (replace(WELL, version=(7, 2, 4)), "warning", "CVE-2025-49844"),
        (replace(WELL, policy="allkeys-lru"), "fault", "lists would be evicted"),
        (replace(WELL, addresses=("*",), open_to_all=True), "warning", "needs no password"),
        (replace(WELL, addresses=("10.0.0.5",), unprotected=True), "warning", "protected-mode no"),
    ],
)
def test_servers_that_are_not(facts: ServerFacts, verdict: str, reported: str) -> None:
    assert reported in worst(examine_store(facts))[verdict]


IN_CLUSTER = replace(WELL, in_cluster=True, all_or_nothing=False)


def test_a_cluster_that_is_well() -> None:
    findings = examine_servers({"a:1": IN_CLUSTER, "b:1": IN_CLUSTER}, "")
    assert {finding.verdict for finding in findings} == {"ok"}
    assert findings[0].detail == "2 primaries, every slot covered"
    assert {finding.detail.partition(" ")[0] for finding in findings[1:]} == {"a:1:", "b:1:"}


@pytest.mark.parametrize(
    ("servers", "uncovered", "verdict", "reported"),
    [
        ({"a:1": IN_CLUSTER}, "0-99", "fault", "no node has slots 0-99"),
        ({"a:1": IN_CLUSTER, "b:1": "refused"}, "", "fault", "refused"),
        ({"a:1": replace(IN_CLUSTER, version=(6, 2))}, "", "fault", "of version 7 or newer"),
        ({"a:1": replace(IN_CLUSTER, policy="allkeys-lru")}, "", "fault", "would be evicted"),
        ({"a:1": replace(IN_CLUSTER, all_or_nothing=True)}, "", "warning", "full-coverage yes"),
        ({"": IN_CLUSTER}, None, "fault", "store.url as redis+cluster://"),
        ({"": "refused"}, None, "fault", "refused"),
    ],
)
def test_clusters_that_are_not(
    servers: dict[str, ServerFacts | str], uncovered: str | None, verdict: str, reported: str
) -> None:
    assert reported in worst(examine_servers(servers, uncovered))[verdict]


@pytest.mark.server
def test_facts_of_a_real_server(store: Redis) -> None:
    facts = inspect(store)
    assert facts.version >= (7,)
    assert facts.policy == "noeviction"
    assert facts.open_to_all is True
    assert facts.addresses == ()
    assert facts.in_cluster is False


def test_folders_and_inputs(tmp_path: Path) -> None:
    assert examine_folder("state", tmp_path / "new").verdict in {"ok", "warning"}
    (tmp_path / "file").write_text("x")
    assert examine_folder("state", tmp_path / "file").verdict == "fault"
    found = examine_inputs([str(tmp_path / "file"), str(tmp_path / "none")])
    assert [finding.verdict for finding in found] == ["ok", "fault"]
