"""The adapter, its training, and the model folder that it becomes."""

from pathlib import Path

import numpy as np
import pytest

from recommender.core.arrays import unit_rows
from recommender.core.telemetry import silent
from recommender.errors import ConfigError, DataError
from recommender.vectors.content import model_folder
from recommender.vectors.content.adapter import Adapter, AdapterTraining, TrainingBaskets
from recommender.vectors.content.sentence_transformer import (
    SentenceTransformerEncoder,
    require_same,
)
from tests.support.shops import checkerboard, interactions

TRAINING = AdapterTraining(hidden=64, steps=60, batch=18, learning_rate=3e-2, dropout=0.0)
N = 20


def drawn(n: int = N, width: int = 12) -> np.ndarray:
    return unit_rows(np.random.default_rng(0).normal(size=(n, width)))


def apart(matrix: np.ndarray) -> float:
    """How much nearer items of one colour are than those of two, on the checkerboard."""
    cosines = matrix @ matrix.T
    same = (np.arange(N)[:, None] - np.arange(N)) % 2 == 0
    off = ~np.eye(N, dtype=bool)
    return float(cosines[same & off].mean() - cosines[~same].mean())


def test_an_adapter_at_rest_moves_nothing() -> None:
    matrix = drawn()
    matrix[3] = 0
    up, down = np.ones((12, 4), np.float32), np.zeros((4, 12), np.float32)
    moved = Adapter(up, down, np.zeros(12, np.float32)).apply(matrix)
    assert np.allclose(moved, matrix, atol=1e-6)


def test_most_of_a_shared_direction_goes() -> None:
    matrix = unit_rows(drawn() + 1)
    matrix[3] = 0
    up, down = np.ones((12, 4), np.float32), np.zeros((4, 12), np.float32)
    moved = Adapter(up, down, np.zeros(12, np.float32)).centred(matrix).apply(matrix)
    assert np.linalg.norm(moved.mean(axis=0)) < 0.7 * np.linalg.norm(matrix.mean(axis=0))
    assert not moved[3].any()


def test_a_tempered_adapter_lies_between() -> None:
    matrix, rng = drawn(), np.random.default_rng(2)
    up, down = (rng.normal(size=shape).astype(np.float32) for shape in ((12, 4), (4, 12)))
    whole = Adapter(up, down, np.zeros(12, np.float32))
    half = whole.tempered().apply(matrix)
    moved = np.maximum(matrix @ up, 0) @ down
    assert np.allclose(half, unit_rows(matrix + moved / 2), atol=1e-6)
    near = (half * whole.apply(matrix)).sum(axis=1)
    assert (near > (matrix * whole.apply(matrix)).sum(axis=1) - 1e-6).all()


def test_what_is_bought_together_comes_near() -> None:
    matrix = drawn()
    steps: list[int] = []
    adapter = TRAINING.fit(matrix, checkerboard(N), apart, lambda step, _value: steps.append(step))
    assert apart(adapter.apply(matrix)) > apart(matrix) + 0.2
    assert steps == [25, 50, 60]


def test_training_is_repeatable() -> None:
    one, two = (TRAINING.fit(drawn(), checkerboard(N), apart, lambda *_: None) for _ in range(2))
    assert (one.down == two.down).all()


def test_what_the_judge_does_not_like_is_not_taken() -> None:
    adapter = TRAINING.fit(drawn(), checkerboard(N), lambda m: -apart(m), lambda *_: None)
    assert not adapter.down.any()


def test_training_ends_when_nothing_gets_better() -> None:
    steps: list[int] = []
    patient = AdapterTraining(hidden=4, steps=1000, batch=18)
    patient.fit(drawn(), checkerboard(N), lambda _: 0.0, lambda step, _value: steps.append(step))
    assert steps == [25, 50, 75, 100]


def test_no_false_negatives() -> None:
    matrix = drawn()
    matrix[4] = matrix[5]
    matrix[0] = matrix[2]
    events = interactions([[0, 2], [4, 6], [5, 7]] * 3, N)
    rows = np.array([0, 2, 4, 5, 6, 7], dtype=np.int32)
    targets, left_out = TrainingBaskets.of(matrix, events, TRAINING).targets(rows)
    assert left_out.diagonal().all()
    assert left_out[2, 3]
    assert not left_out[0, 1]
    assert targets[0, 1] == 1
    assert targets[targets > 0].min() > 0.99
    assert (targets.sum(axis=1) > 0.99).all()


def test_a_batch_holds_distinct_items_that_were_bought() -> None:
    baskets = TrainingBaskets.of(drawn(), checkerboard(N), AdapterTraining(batch=8))
    rows = baskets.sampled(np.random.default_rng(0))
    assert len(np.unique(rows)) == len(rows) <= 8
    assert set(rows.tolist()) <= set(range(N - 2))


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(DataError, match="bought together"):
        TRAINING.fit(drawn(), interactions([[1], [2]], N), apart, lambda *_: None)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"dropout": 1.0}, {"temperature": 0.0}])
def test_absurd_parameters_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="fine-tuning"):
        AdapterTraining(**wrong)  # type: ignore[arg-type]


@pytest.mark.model
def test_a_folder_encodes_what_was_judged(tmp_path: Path) -> None:
    base = model_folder.find("all-MiniLM-L6-v2", "main", download=False)
    texts = ["red lamp", "a garden rake", "", "RED LAMP, small"]
    plain = SentenceTransformerEncoder().encode(texts, silent)
    rng = np.random.default_rng(0)
    up, down = (rng.normal(size=shape).astype(np.float32) for shape in ((384, 8), (8, 384)))
    adapter = Adapter(up, 0.05 * down, np.zeros(384, np.float32)).centred(plain)
    out = tmp_path / "tuned"
    model_folder.save_adapted(base, adapter, out, "# A card\n", {"until": 7})
    expected = adapter.apply(plain)
    require_same(out, texts, expected)
    assert np.abs(expected - plain).max() > 0.01
    with pytest.raises(DataError, match="differ"):
        require_same(out, texts, plain)
    assert model_folder.learned_until(str(out)) == 7
    assert (out / "README.md").read_text() == "# A card\n"
    assert str(base) not in "".join(p.read_text() for p in out.rglob("*.json"))
    assert [p.name for p in tmp_path.iterdir()] == ["tuned"]
    with pytest.raises(ConfigError, match="already"):
        model_folder.save_adapted(base, adapter, out, "", {})


def test_a_folder_without_record_was_not_tuned(tmp_path: Path) -> None:
    assert model_folder.learned_until(str(tmp_path)) == 0
    (tmp_path / "finetuning.json").write_text("[]")
    with pytest.raises(ConfigError, match="no record"):
        model_folder.learned_until(str(tmp_path))
