"""Answers that take long: each is worked out once, in the background, and kept for a while."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass
from threading import Lock, Semaphore, Thread
from typing import Generic, TypeVar

from recommender.errors import RecommenderError

Value = TypeVar("Value")
MOST_KEPT, AT_ONCE, END_S = 8, 2, 5.0


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
    """Works answers out, two at a time; keeps the last few by their questions."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._found: OrderedDict[Hashable, Future[object]] = OrderedDict()
        self._lock, self._turns, self._most = Lock(), Semaphore(AT_ONCE), most

    def ask(
        self, question: Hashable, work: Callable[[], Value], *, wait_s: float = 0.05
    ) -> Answer[Value]:
        """The answer to a question, if it is known within `wait_s`. `work` finds it."""
        with self._lock:
            future = self._found.get(question)
            if future is None:
                future = self._found[question] = self._begun(work)
                while len(self._found) > self._most:
                    _, oldest = self._found.popitem(last=False)
                    oldest.cancel()
            self._found.move_to_end(question)
        try:
            value: Value = future.result(wait_s)  # type: ignore[assignment]
        except (TimeoutError, CancelledError):
            return Answer()
        except RecommenderError as error:
            return Answer(fault=str(error))
        return Answer(value)

    def forget(self, question: Hashable) -> None:
        """Work the answer out anew when it is asked for next."""
        with self._lock:
            self._found.pop(question, None)

    def close(self) -> None:
        """Begin nothing more, and wait a little for what is being worked out."""
        with self._lock:
            for future in self._found.values():
                future.cancel()
            wait(self._found.values(), END_S)

    def _begun(self, work: Callable[[], Value]) -> Future[object]:
        """Work in a thread that does not keep the process from ending."""
        future: Future[object] = Future()
        Thread(target=self._work, args=(future, work), name="console-answer", daemon=True).start()
        return future

    def _work(self, future: Future[object], work: Callable[[], object]) -> None:
        with self._turns:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(work())
            except Exception as error:  # whoever asks sees it
                future.set_exception(error)
