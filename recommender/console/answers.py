"""Answers that take long: each is worked out once, in a background thread, and kept for a while."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from recommender.errors import RecommenderError

Value = TypeVar("Value")
MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """The state of an answer: its value, or the fault that prevented it, or neither as yet."""

    value: Value | None = None
    fault: str = ""

    @property
    def pending(self) -> bool:
        """Whether it is still being worked out."""
        return self.value is None and not self.fault


class Answers:
    """Works answers out one after another; keeps the last few by their questions."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="console-answers")
        self._found: OrderedDict[Hashable, Future[object]] = OrderedDict()
        self._lock, self._most = Lock(), most

    def ask(
        self, question: Hashable, work: Callable[[], Value], *, wait_s: float = 0.05
    ) -> Answer[Value]:
        """The answer to a question, if it is known within `wait_s`. `work` finds it."""
        with self._lock:
            future = self._found.get(question)
            if future is None:
                future = self._found[question] = self._thread.submit(work)
                while len(self._found) > self._most:
                    _, oldest = self._found.popitem(last=False)
                    oldest.cancel()
            self._found.move_to_end(question)
        try:
            value: Value = future.result(wait_s)  # type: ignore[assignment]
        except TimeoutError:
            return Answer()
        except RecommenderError as error:
            return Answer(fault=str(error))
        return Answer(value)

    def forget(self, question: Hashable) -> None:
        """Work the answer out anew when it is asked for next."""
        with self._lock:
            self._found.pop(question, None)

    def close(self) -> None:
        """End the thread after what it works on."""
        self._thread.shutdown(wait=True, cancel_futures=True)
