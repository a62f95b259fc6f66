import numpy as np

from recommender.core.arrays import unit_rows
from recommender.core.neighbours import Neighbours
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings, Origins
from recommender.ranking.evidence import EvidenceScale


def random_rows(n: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(n, 32)).astype(np.float32)
    return unit_rows(made)


def test_an_entry_rests_on_what_brings_it_near() -> None:
    text, behaviour = random_rows(300, 1), random_rows(300, 2)
    text[1] = text[0]
    behaviour[2] = behaviour[0]
    text[3], behaviour[3] = text[0], behaviour[0]
    support = np.ones(300, dtype=np.float32)
    cold = support.copy()
    cold[4], behaviour[4] = 0, 0
    scale = EvidenceScale.measured(
        Origins({"text": Embeddings(text, support)}, {"orders": Embeddings(behaviour, cold)})
    )
    neighbours = Neighbours(
        np.array([[1, 2, 3, 4]], dtype=np.int32), np.ones((1, 4), dtype=np.float32)
    )
    codes = scale.codes(np.zeros(1, dtype=np.int32), neighbours)
    assert [EVIDENCE[code] for code in codes[0]] == ["text", "behaviour", "both", "text"]


def test_the_length_of_targets_is_no_evidence() -> None:
    rows, support = random_rows(300, 5), np.ones(300, dtype=np.float32)
    rows[1] = rows[0]
    text = Embeddings(random_rows(300, 6), support)
    found = Neighbours(np.array([[1, 2]], np.int32), np.ones((1, 2), np.float32))
    told = []
    for length in (1.0, 0.1):
        orders = Embeddings(rows, support, rows * np.float32(length))
        scale = EvidenceScale.measured(Origins({"text": text}, {"orders": orders}))
        told.append(scale.codes(np.zeros(1, np.int32), found).tolist())
    assert told[0] == told[1]
    assert EVIDENCE[told[0][0][0]] == "behaviour"


def test_about_one_random_pair_in_a_hundred_is_near() -> None:
    origin = Embeddings(random_rows(2000, 3), np.ones(2000, dtype=np.float32))
    near = EvidenceScale.measured(Origins({"text": origin})).near["text"]
    cosines = (origin.matrix[:500] @ origin.matrix[500:].T).ravel()
    assert 0.005 < (cosines > near).mean() < 0.02


def test_an_origin_without_data_is_no_evidence() -> None:
    nothing = Embeddings(np.zeros((5, 1), np.float32), np.zeros(5, np.float32))
    text = Embeddings(random_rows(5, 4), np.ones(5, dtype=np.float32))
    scale = EvidenceScale.measured(Origins({"text": text}, {"orders": nothing}))
    neighbours = Neighbours(np.array([[1]], np.int32), np.ones((1, 1), np.float32))
    assert EVIDENCE[scale.codes(np.zeros(1, np.int32), neighbours)[0, 0]] == "text"
