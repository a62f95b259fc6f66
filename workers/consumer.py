"""The consumer of a worker: refuses what is no job in one line of the log, and lives on."""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer
from kombu.message import Message

from workers.messages import fault

SHOWN = 80
"""Characters of a refused body that the log may show."""

log = logging.getLogger(__name__)


class ScreenedConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer behind `workers.messages`; Celery takes nothing but a subclass here."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Message], None]:  # noqa: ANN401
        """Celery's handler of messages, for those alone that have no fault."""
        handle = super().create_task_handler(*args, **kwargs)

        def screen(message: Message) -> None:
            if found := fault(message, self.app.tasks):
                self._refuse(message, found)
            else:
                handle(message)

        return screen

    def on_decode_error(self, message: Message, exc: Exception) -> None:
        """Refuse what could not even be unpacked."""
        self._refuse(message, type(exc).__name__)

    def _refuse(self, message: Message, found: str) -> None:
        body = (message.body or "")[:SHOWN]
        log.warning("refused message: fault=%s body=%.*r", found, SHOWN, body)
        message.reject_log_error(log, self.connection_errors)  # type: ignore[no-untyped-call]
