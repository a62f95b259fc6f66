"""Training: what is drawn, what is held out, and when it stops."""

import numpy as np
import pytest

from recommender.vectors.fusion import learned
from recommender.vectors.fusion.learned import COUNTS, TRUSTED_AT, Counts, Learned
from recommender.vectors.fusion.towers import FittedTowers
from tests.support.shops import interactions
from tests.vectors.fusion.partner_shop import N_ITEMS, Shop


def test_behaviour_is_hidden_for_a_share_of_the_asking_items(
    shop: Shop, fitted: FittedTowers
) -> None:
    inputs = fitted.inputs(shop[0], shop[1])
    counts = Counts.of(shop[2], 0)
    draws = [learned._Samples(inputs, counts, seed, 0.25).draw() for seed in range(20)]
    assert np.mean([draw.row_kept.mean() for draw in draws]) == pytest.approx(0.75, abs=0.03)
    assert np.mean([draw.column_kept.mean() for draw in draws]) == pytest.approx(0.9, abs=0.03)
    hidden = inputs.without_behaviour(np.zeros((N_ITEMS, 1), dtype=np.float32))
    assert not hidden.behaviour.any()
    assert not hidden.support.any()
    assert (hidden.content == inputs.content).all()


def test_items_held_out_are_not_asked_in_training(shop: Shop, fitted: FittedTowers) -> None:
    lesson = learned._Samples(fitted.inputs(shop[0], shop[1]), Counts.of(shop[2], 0), 0, 0.25)
    assert len(lesson.exam.rows)
    assert not np.isin(lesson.exam.rows, lesson.rows).any()


def test_the_state_of_torch_and_numpy_stays(shop: Shop) -> None:
    import torch

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    seeded = str(np.random.get_state())  # noqa: NPY002 - the global state must stay
    Learned(steps=2).fuse(*shop)
    assert torch.get_num_threads() == threads
    assert (torch.get_rng_state() == state).all()
    assert str(np.random.get_state()) == seeded  # noqa: NPY002


def test_the_best_on_items_held_out_is_kept_and_training_stops_where_they_get_no_better(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    met: list[dict[str, np.ndarray]] = []
    loss = learned._Samples.loss

    def scripted(
        samples: learned._Samples, parameters: dict[str, torch.Tensor], draw: learned._Draw
    ) -> torch.Tensor:
        if draw is not samples.exam:
            made: torch.Tensor = loss(samples, parameters, draw)
            return made
        met.append({name: part.detach().cpu().numpy().copy() for name, part in parameters.items()})
        return torch.tensor({1: 2.0, 2: 1.0}.get(len(met), 3.0))

    monkeypatch.setattr(learned._Samples, "loss", scripted)
    fitted = Learned(steps=10 * learned.CHECK_EVERY).fuse(*shop)
    assert len(met) == 2 + learned.PATIENCE
    assert all((fitted.parameters[name] == array).all() for name, array in met[1].items())
    assert any((fitted.parameters[name] != array).any() for name, array in met[0].items())


def test_a_large_shop_takes_more_steps() -> None:
    lesson = Learned(steps=160)
    assert lesson.steps_for(3_000) == 160
    assert lesson.steps_for(51_200) == 400
    assert lesson.steps_for(1_000_000) == 800


def test_strength_is_the_root_of_the_weighted_share() -> None:
    counts = Counts.of(interactions([[0, 1, 2], [0, 1], [2, 3]], 5), half_life_days=0)
    rows, columns = np.array([0, 2, 4], np.int32), np.array([1, 3], np.int32)
    three = 0.5**0.5
    expected = np.array([[1 + three, 0], [three, 1], [0, 0]])
    expected /= np.array([[1 + 2 * three], [1 + 2 * three], [1]])
    trust = np.array([[2], [2], [0]]) / (np.array([[2], [2], [0]]) + TRUSTED_AT)
    assert counts.strength(rows, columns) == pytest.approx(
        COUNTS * np.sqrt(expected * trust), abs=1e-5
    )
