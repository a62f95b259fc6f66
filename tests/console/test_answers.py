"""Answers that take long are worked out once."""

from threading import Event

from recommender.console.answers import Answer, Answers
from recommender.errors import DataError


def failed() -> int:
    raise DataError("no such column")


def test_an_answer_is_pending_until_it_is_known_and_worked_out_once() -> None:
    answers, go_on, calls = Answers(), Event(), list[int]()

    def work() -> int:
        go_on.wait(10)
        calls.append(1)
        return 7

    assert answers.ask("q", work, wait_s=0.0).pending
    assert answers.ask("q", work, wait_s=0.0).pending
    go_on.set()
    assert answers.ask("q", work, wait_s=10) == Answer(7)
    assert answers.ask("q", work) == Answer(7)
    assert calls == [1]
    answers.forget("q")
    assert answers.ask("q", work, wait_s=10) == Answer(7)
    assert calls == [1, 1]
    answers.close()


def test_a_fault_is_the_answer_and_only_a_few_are_kept() -> None:
    answers = Answers(most=2)
    assert answers.ask("bad", failed, wait_s=10) == Answer(fault="no such column")
    for question in range(3):
        assert answers.ask(question, lambda: question, wait_s=10).value is not None  # noqa: B023
    assert answers.ask(0, lambda: "anew", wait_s=10) == Answer("anew")
    answers.close()
