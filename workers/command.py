"""A `recommender` command in a process of its own, whose memory and libraries go with it."""

import signal
import subprocess
import sys

from recommender.errors import RecommenderError, StoreUnavailable

LONGEST_RUN_S = 4 * 3600
LONGEST_MESSAGE = 500


class CommandFailed(RecommenderError):
    """A command ended otherwise than well: its exit code (-9: ended by signal 9) and its line."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"exit code {self.code}: {self.message}"


def run(*arguments: str, longest_s: float = LONGEST_RUN_S) -> str:
    """Run `recommender ARGUMENTS` to its end; returns its output. After `longest_s` it is killed.

    Raises: StoreUnavailable where the command says so; CommandFailed for every other failure.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "recommender.cli", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=longest_s,
            start_new_session=True,  # Ctrl-C ends the worker only when the command is done
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        killed = -signal.SIGKILL
        raise CommandFailed(killed, f"killed after {longest_s:g} s") from error
    if done.returncode == StoreUnavailable.exit_code:
        raise StoreUnavailable(_last_line(done.stderr))
    if done.returncode < 0:
        raise CommandFailed(done.returncode, f"ended by {_signal_name(-done.returncode)}")
    if done.returncode:
        raise CommandFailed(done.returncode, _last_line(done.stderr))
    return done.stdout


def _last_line(text: str) -> str:
    lines = text.split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no message")
    return last.removeprefix("recommender: ")[:LONGEST_MESSAGE]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
