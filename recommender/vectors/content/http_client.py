"""An errand: a courier at work, as the process sees it that sent it."""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from recommender.errors import ProviderFailed
from recommender.vectors.content.endpoint import Question
from recommender.vectors.content.http_sender import LOCK, UNFINISHED, question_id

INTERRUPTED_S = 2.0
"""How long someone who was interrupted waits: the courier does not need them."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A courier with a folder of its own; what it tells comes through `told`."""

    folder: Path
    process: "subprocess.Popen[str]"
    told: "queue.Queue[Mapping[str, Any] | None]"

    def send(self, question: Question) -> str:
        """Send a question; returns its id. Raises: ProviderFailed where the courier is gone."""
        try:
            _writable(self.process).write(json.dumps(asdict(question)) + "\n")
            _writable(self.process).flush()
        except OSError as error:
            raise ProviderFailed("the courier of the text API was ended; run again") from error
        return question_id(question.body)

    def answer(self, timeout_s: float | None) -> Mapping[str, Any] | None:
        """The next answer, None where none came in time. Raises: ProviderFailed."""
        try:
            told = self.told.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if told is None:
            raise ProviderFailed("the courier of the text API was ended; run again")
        return told

    def left(self) -> list[Path]:
        """Answers that lie in the folder."""
        paths = sorted(self.folder.iterdir())
        return [path for path in paths if path.name != LOCK and path.suffix != UNFINISHED]


@contextmanager
def sent(folder: Path | None) -> Iterator[Errand]:
    """A courier that has the folder, or one that is made for it alone.

    Waits for another that still has it. In the end, what is on its way is waited for.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="recommender-") as made, sent(Path(made)) as errand:
            yield errand
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "recommender.vectors.content.http_sender", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    told: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
    listener = threading.Thread(target=_listen, args=(process.stdout, told), daemon=True)
    listener.start()
    errand = Errand(folder, process, told)
    patience_s: float | None = None
    try:
        errand.answer(None)
        yield errand
    except KeyboardInterrupt:
        patience_s = INTERRUPTED_S
        raise
    finally:
        with suppress(BrokenPipeError):
            _writable(process).close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            listener.join()


def _listen(lines: IO[str] | None, told: "queue.Queue[Mapping[str, Any] | None]") -> None:
    with lines or nullcontext(()) as heard:
        for line in heard:
            if line.endswith("\n"):
                told.put(json.loads(line))
    told.put(None)


def _writable(process: "subprocess.Popen[str]") -> IO[str]:
    if process.stdin is None:
        raise ProviderFailed("the courier of the text API has no way in")
    return process.stdin
