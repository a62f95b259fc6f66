"""The files exchanged with the peers: no event after the cut but histories, answers by rank."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.peers.__main__ import evaluated_answers, export
from recommender.core.interactions import DAY_S
from recommender.core.vectors import Embeddings
from recommender.evaluation.harness import EvaluationPlan, Harness, harness_of
from recommender.evaluation.protocols import window
from recommender.evaluation.user_protocols import NextItemTask
from tests.evaluation.test_user_protocols import visits
from tests.support.shops import catalogue


@pytest.fixture
def asked() -> Harness:
    shop = visits((4, 1, [0, 1]), (4, 22, [2]), (4, 25, [3]), (6, 3, [5]), (6, 24, [7, 8]))
    text = Embeddings(np.zeros((12, 2), np.float32), np.zeros(12, np.float32))
    chosen = window(shop, until=30 * DAY_S, days=10)
    return harness_of(catalogue(12), chosen, {"text": text}, EvaluationPlan(protocol="next-item"))


def test_peers_learn_from_nothing_after_the_cut(asked: Harness, tmp_path: Path) -> None:
    export(asked, tmp_path)
    events = pd.read_parquet(tmp_path / "events.parquet")
    assert events["item"].tolist() == ["i000", "i001", "i005"]
    assert events["holder"].tolist() == [4, 4, 6]
    histories = pd.read_parquet(tmp_path / "histories.parquet")
    assert histories.groupby("query")["item"].agg(sorted).tolist() == [
        ["i000", "i001", "i002"],
        ["i005"],
    ]


def test_answers_are_evaluated_by_their_rank(asked: Harness, tmp_path: Path) -> None:
    assert isinstance(asked.task, NextItemTask)
    columns = {
        "query": [1, 0, 0, 1],
        "item": ["i008", "i003", "i009", "i001"],
        "rank": [2, 2, 1, 11],
    }
    pd.DataFrame(columns).to_parquet(tmp_path / "answers.parquet")
    result = evaluated_answers(asked, "peer", tmp_path / "answers.parquet")
    assert result.top[:, :3].tolist() == [[9, 3, -1], [-1, 8, -1]]
    assert result.scores.mrr.tolist() == [0.5, 0.5]
    assert result.scores.recall.tolist() == [1.0, 0.5]
