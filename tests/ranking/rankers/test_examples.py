"""Examples: the mixture of lists that explains answers, its gradients, and its gain."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.ranking.rankers import examples as module
from recommender.ranking.rankers.examples import Examples, Mixture


def made(n_questions: int = 6, lists: int = 3, size: int = 5, seed: int = 0) -> Examples:
    """Questions with some lists each, of items drawn at random; the first item is the answer."""
    rng = np.random.default_rng(seed)
    n_lists = n_questions * lists
    items = np.concatenate([np.r_[0, 1 + rng.permutation(9)[: size - 1]] for _ in range(n_lists)])
    targets = np.where(items == 0, 1.0, 0.0)
    return Examples(
        ("inner product",),
        rng.random((len(items), 1)).astype(np.float32),
        items.astype(np.int32),
        targets,
        targets,
        np.full(n_lists, size),
        np.repeat(np.arange(n_questions), lists),
        np.power(0.8, np.tile(np.arange(lists), n_questions)).astype(np.float64),
        rng.random(n_lists // lists).repeat(lists) + 0.5,
        np.ones(n_lists),
        np.ones(n_lists),
    )


def test_gradients_are_those_of_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SELF_NORMALISING", 0.0)
    one = made()
    mixture = Mixture.of(one)
    values = np.random.default_rng(1).normal(size=len(one.items))
    gradient, _ = mixture.gradients(values)
    step, numeric = 1e-5, np.zeros(len(values))
    for place in range(len(values)):
        up, down = values.copy(), values.copy()
        up[place] += step
        down[place] -= step
        numeric[place] = (mixture.loss(up) - mixture.loss(down)) / (2 * step) * len(one.sizes)
    assert gradient == pytest.approx(numeric, abs=1e-6)


def test_descending_explains_each_answer_by_the_list_that_knows_it() -> None:
    one = made(40)
    mixture = Mixture.of(one)
    values = np.full(len(one.items), one.base)
    before = mixture.loss(values)
    for _ in range(200):
        gradient, stiff = mixture.gradients(values)
        values -= 0.2 * gradient / (stiff + 1)
    assert mixture.loss(values) < 0.3 * before


def test_chances_of_a_list_come_to_sum_to_one_without_dividing() -> None:
    one = made(40)
    mixture = Mixture.of(one)
    values = np.full(len(one.items), 2.0)
    for _ in range(2_000):
        gradient, stiff = mixture.gradients(values)
        values -= 0.2 * gradient / (stiff + 0.1)
    sums = np.bincount(one.owner, np.exp(values))
    weighed = np.bincount(one.question, one.weight * one.importance)
    assert weighed.min() > 0
    assert np.median(sums) == pytest.approx(1, abs=0.2)


def test_gain_is_the_discounted_worth_of_the_first_ten() -> None:
    one = replace(
        made(1, 2, 2),
        table=np.zeros((13, 1), dtype=np.float32),
        items=np.arange(13, dtype=np.int32),
        targets=np.array([1.0, 0.5, *[0.0] * 11]),
        sizes=np.array([2, 11]),
        question=np.array([0, 1]),
        weight=np.array([1.0, 1.0]),
        importance=np.array([2.0, 1.0]),
    )
    assert one.gain(np.arange(13.0)[::-1]) == pytest.approx([2 * (1 + 0.5 / np.log2(3)), 0])
    assert one.gain(np.arange(13.0)) == pytest.approx([2 * (0.5 + 1 / np.log2(3)), 0])


def test_the_lists_of_a_question_are_summed_by_their_weights() -> None:
    one = replace(
        made(1, 2, 2),
        table=np.zeros((4, 1), dtype=np.float32),
        items=np.array([7, 8, 8, 9], dtype=np.int32),
        targets=np.array([0.0, 1.0, 1.0, 0.0]),
        sizes=np.array([2, 2]),
        question=np.array([0, 0]),
        weight=np.array([1.0, 0.5]),
        importance=np.array([1.0, 1.0]),
    )
    assert one.gain(np.array([0.5, 0.4, 0.4, 0.7])) == pytest.approx([1])
    assert one.gain(np.array([0.7, 0.4, 0.4, 0.5])) == pytest.approx([1 / np.log2(3)])


def test_questions_are_selected_with_all_of_their_lists() -> None:
    one = made(3, 2, 4)
    chosen = one.select(np.array([True, False, True]))
    assert chosen.question.tolist() == [0, 0, 2, 2]
    assert len(chosen.items) == 16
    assert chosen.table[:8].tolist() == one.table[:8].tolist()
    assert chosen.table[8:].tolist() == one.table[16:].tolist()


def test_joined_parts_keep_their_questions_apart() -> None:
    one = made(3)
    both = Examples.joined([one, one.numbered_from(one.n_questions)])
    assert both.n_questions == 6
    loss, twice = (Mixture.of(some).loss(np.zeros(len(some.items))) for some in (one, both))
    assert twice == pytest.approx(loss)
