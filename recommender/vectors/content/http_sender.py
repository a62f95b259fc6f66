"""The courier: a process that carries questions to a text API and puts the answers down.

It outlives whoever sent it: where that process is killed, what is on its way is still waited for
and written, so that the next run finds it and pays for nothing twice. Lines of JSON come in and go
out; an answer with status 200 lies in `FOLDER/<id>` before it is told, question and answer on two
lines. One courier at a time has a folder. Standard library only.
"""

import fcntl
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from recommender.vectors.content.endpoint import Answer, Question, ask

LOCK = "lock"
UNFINISHED = ".part"
MOST_AT_ONCE = 64
EXCERPT = 4096
OK = 200

_telling = threading.Lock()


def main() -> None:
    """Carry what standard input says until it ends, then see the last answers home."""
    folder = Path(sys.argv[1])
    with held(folder), ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        _tell({"event": "ready"})
        for line in sys.stdin:
            if line.endswith("\n"):
                pool.submit(_carry, folder, json.loads(line))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Wait until nobody else has the folder, and have it; empty, it goes away at the end."""
    lock = _locked(folder)
    try:
        yield
        for path in folder.glob(f"*{UNFINISHED}"):
            path.unlink()
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
            with suppress(OSError):
                folder.rmdir()
    finally:
        os.close(lock)


def _locked(folder: Path) -> int:
    """A lock on the folder's lock file, made anew where the last holder removed it."""
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), (folder / LOCK).stat()):
                return lock
        os.close(lock)


def _carry(folder: Path, asked: dict[str, Any]) -> None:
    question = Question(**asked)
    name = question_id(question.body)
    try:
        answer = ask(question)
        if answer.status == OK:
            answer = _put_down(folder / name, question, answer)
    except Exception as error:  # whoever sent the courier waits for an answer, whatever it is
        answer = Answer(0, f"{type(error).__name__}: {error}"[:300], refused=True)
    told = asdict(answer) | {"body": answer.body[:EXCERPT].decode(errors="replace")}
    _tell({"event": "answer", "id": name, **told})


def question_id(body: str) -> str:
    """What the answer to a question is called."""
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def _put_down(path: Path, question: Question, answer: Answer) -> Answer:
    """Write question and answer, for good; returns what is left to tell."""
    staged = path.with_suffix(UNFINISHED)
    try:
        with staged.open("wb") as file:
            file.write(question.body.encode() + b"\n" + answer.body)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        return Answer(0, f"cannot write {path.parent}: {error.strerror}", refused=True)
    return Answer(OK)


def _tell(event: dict[str, Any]) -> None:
    """Tell who sent the courier, if that is still there."""
    with _telling, suppress(BrokenPipeError, ValueError):
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
