"""What doctor says of each fact, without a command."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from recommender.artifacts.store import ArtifactStore
from recommender.core.protocols import TextEncoder
from recommender.errors import ConfigError
from recommender.insights.diagnosis import Diagnosis
from recommender.insights.doctor import (
    examine_artifacts,
    examine_encoding,
    examine_folder,
    examine_kernels,
    examine_lists,
    examine_origin,
    examine_parts,
    examine_servers,
    examine_store,
)
from recommender.insights.presence import examine_inputs
from recommender.publishing.inspection import Audit, ServerFacts
from recommender.vectors.content.static import HashingEncoder

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


def test_folders_and_inputs(tmp_path: Path) -> None:
    assert examine_folder("state", tmp_path / "new").verdict in {"ok", "warning"}
    (tmp_path / "file").write_text("x")
    assert examine_folder("state", tmp_path / "file").verdict == "fault"
    found = examine_inputs([str(tmp_path / "file"), str(tmp_path / "none")])
    assert [finding.verdict for finding in found] == ["ok", "fault"]


def test_extras_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.verdict for one in examine_parts()] == ["ok", "ok"]
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "faiss" else found(name)
    )
    build, text = examine_parts()
    assert (build.verdict, text.verdict) == ("fault", "ok")
    assert build.detail == "faiss missing; pip install 'recommender[build]'"


def test_a_text_model_that_cannot_be_made_is_a_fault() -> None:
    def missing() -> TextEncoder:
        raise ConfigError("no such model")

    assert examine_origin("text model", missing) == [
        Diagnosis("text model", "fault", "no such model")
    ]
    (found,) = examine_origin("text model", HashingEncoder)
    assert (found.verdict, found.detail) == ("ok", HashingEncoder().fingerprint())


@pytest.mark.parametrize(
    ("precision", "bf16", "verdict", "reported"),
    [
        ("bf16", False, "warning", "text.precision to fp32"),
        ("fp32", True, "ok", "bf16, which is faster"),
        ("bf16", True, "ok", "bf16, as fits"),
        (None, False, "ok", "fp32, as fits"),
    ],
)
def test_a_precision_suits_the_processor_or_not(
    precision: str | None, bf16: bool, verdict: str, reported: str
) -> None:
    found = examine_encoding("text", {"precision": precision} if precision else {}, bf16=bf16)
    assert found.verdict == verdict
    assert reported in found.detail


@pytest.mark.parametrize(
    ("chosen", "best", "verdict"),
    [
        ("Haswell", "SkylakeX", "warning"),
        ("SKYLAKEX", "SkylakeX", "ok"),
        (None, "SkylakeX", "ok"),
        ("Haswell", None, "ok"),
    ],
)
def test_kernels_that_somebody_chose(chosen: str | None, best: str | None, verdict: str) -> None:
    assert examine_kernels(chosen, best).verdict == verdict


def test_artifacts_are_written_and_read_back(tmp_path: Path) -> None:
    assert examine_artifacts(ArtifactStore(tmp_path / "new", "acme")).verdict in {"ok", "warning"}
    (tmp_path / "file").write_text("x")
    assert examine_artifacts(ArtifactStore(tmp_path / "file", "acme")).verdict == "fault"


@pytest.mark.parametrize(
    ("audit", "verdict", "reported"),
    [
        (None, "ok", "nothing is published yet"),
        (Audit(3, published=9, found=9), "ok", "all 9 of generation 3"),
        (Audit(3, published=9, found=8), "fault", "generation 3 has 8 of its 9 lists left"),
    ],
)
def test_lists_that_somebody_deleted(audit: Audit | None, verdict: str, reported: str) -> None:
    found = examine_lists(audit)
    assert found.verdict == verdict
    assert reported in found.detail


def test_patterns_and_folders_of_inputs_are_looked_into(tmp_path: Path) -> None:
    (tmp_path / "orders-1.csv").write_text("x")
    found = examine_inputs([str(tmp_path / "orders-*.csv"), str(tmp_path / "views-*.csv")])
    assert [one.verdict for one in found] == ["ok", "fault"]
    assert "orders-1.csv (0.0 KiB)" in found[0].detail
    (url,) = examine_inputs(["s3://shop/orders.csv"])
    assert (url.verdict, "only files of this machine" in url.detail) == ("fault", True)
