"""Which way of encoding is proposed, and on what ground."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pytest

from recommender import registry
from recommender.core.arrays import FloatMatrix, unit_rows
from recommender.core.recipe import Choice
from recommender.core.telemetry import Progress
from recommender.insights import encoding_paths
from recommender.insights.doctor import examine_encoding, examine_kernels
from recommender.insights.encoding_paths import (
    EncodingPath,
    Fidelity,
    measured,
    proposed,
    sample_texts,
)

EXACT = (1.0, 1.0, 1.0)


def path(speed: float, mean_cosine: float) -> EncodingPath:
    fidelity = Fidelity(mean_cosine, mean_cosine, 1.0)
    return EncodingPath({"precision": f"{speed}"}, speed, fidelity)


def test_the_fastest_faithful_path_is_proposed() -> None:
    paths = [path(1.0, 1.0), path(3.0, 0.9991), path(9.0, 0.9989), path(2.0, 1.0)]
    assert proposed(paths).texts_per_s == 3.0


def test_fidelity_tells_mean_least_and_kept() -> None:
    rng = np.random.default_rng(1)
    reference = unit_rows(rng.normal(size=(40, 16)))
    assert astuple(Fidelity.of(reference, reference)) == pytest.approx(EXACT)
    moved = reference.copy()
    moved[3] = -moved[3]
    near = Fidelity.of(moved, reference)
    assert near.least_cosine == pytest.approx(-1)
    assert near.mean_cosine == pytest.approx(38 / 40)
    assert 0.6 < near.nearest_kept < 0.99


@dataclass(frozen=True, slots=True)
class Turned:
    """An encoder whose vectors are slightly different from the reference's."""

    by: float

    def fingerprint(self) -> str:
        return "turned"

    def encode(self, documents: Sequence[str], progress: Progress) -> FloatMatrix:
        rng = np.random.default_rng(2)
        made = rng.normal(size=(len(documents), 32))
        return unit_rows(made + self.by * rng.normal(size=made.shape))


def test_every_path_is_measured_beside_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = [{"precision": name} for name in ("fp32", "bf16", "broken")]
    by = {"fp32": 0.0, "bf16": 0.01, "broken": 0.5}
    monkeypatch.setattr(encoding_paths, "possible", lambda: ways)
    monkeypatch.setattr(
        registry, "text_encoder", lambda choice: Turned(by[choice.parameters["precision"]])
    )
    paths = measured(Choice("sentence-transformers"), sample_texts(50), rounds=1)
    assert [one.parameters for one in paths] == ways
    assert astuple(paths[0].fidelity) == pytest.approx(EXACT)
    assert proposed(paths).parameters["precision"] != "broken"
    assert paths[2].fidelity.mean_cosine < 0.95


@pytest.mark.parametrize("bf16", [True, False])
def test_possible_paths_begin_with_the_reference(
    bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding_paths, "multiplies_bf16", lambda: bf16)
    paths = list(encoding_paths.possible())
    assert paths[0] == {"precision": "fp32"}
    assert any(one["precision"] == "bf16" for one in paths) is bf16
    for parameters in paths:
        registry.text_encoder(Choice("sentence-transformers", parameters))


@pytest.mark.parametrize(
    ("precision", "bf16", "verdict", "reported"),
    [
        ("bf16", False, "warning", "lacks"),
        ("fp32", True, "ok", "doctor --speed"),
        ("bf16", True, "ok", "as fits"),
        ("fp32", False, "ok", "as fits"),
    ],
)
def test_doctor_says_whether_the_precision_suits_the_processor(
    precision: str, bf16: bool, verdict: str, reported: str
) -> None:
    finding = examine_encoding("text", {"precision": precision}, bf16=bf16)
    assert finding.verdict == verdict
    assert reported in finding.detail


def test_sample_texts_are_no_two_alike_and_as_long_as_asked() -> None:
    texts = sample_texts(300, 12)
    assert len(set(texts)) == 300
    assert {len(text.split()) for text in texts} == {12}
    assert texts == sample_texts(300, 12)


@pytest.mark.parametrize(
    ("chosen", "best", "verdict"),
    [
        ("Haswell", "SkylakeX", "warning"),
        ("skylakex", "SkylakeX", "ok"),
        (None, "SkylakeX", "ok"),
        ("Haswell", None, "ok"),
    ],
)
def test_doctor_tells_of_kernels_that_hold_the_processor_back(
    chosen: str | None, best: str | None, verdict: str
) -> None:
    assert examine_kernels(chosen, best).verdict == verdict
