"""A reindex in a process of its own that may be killed at a failpoint, started in no time.

A fork server has the heavy libraries loaded and used by nobody, so that hundreds of processes can
be started in a minute and none inherits their threads.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from recommender.cli.main import run
from recommender.core import failpoints

PRELOADED = [
    "recommender.cli.reindex",
    "recommender.evaluation.experiments",
    "recommender.readers.text_tables",
    "recommender.readers.parquet",
    "recommender.vectors.behaviour.co_occurrence_svd",
    "recommender.vectors.content.static",
    "sklearn.feature_extraction.text",
    "sklearn.utils.extmath",
    "faiss",
]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(PRELOADED)


def start(
    arguments: Sequence[str], failpoint: str = "", counted: Path | None = None
) -> multiprocessing.process.BaseProcess:
    """Start the command; `counted` gets how often each failpoint was passed."""
    process = _context.Process(target=_command, args=(list(arguments), failpoint, counted))
    process.start()
    return process


def begin(work: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    """Start a function of a module in a process of its own."""
    process = _context.Process(target=work, args=arguments)
    process.start()
    return process


def command(arguments: Sequence[str], failpoint: str = "", counted: Path | None = None) -> int:
    """Run the command to its end; returns its exit code, negative for a signal."""
    process = start(arguments, failpoint, counted)
    process.join(120)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode


def _command(arguments: list[str], failpoint: str, counted: Path | None) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.environ[failpoints.VARIABLE] = failpoint or "artifact.write=eio@1000000"
    code = run(arguments)
    if counted is not None:
        counted.write_text(json.dumps(dict(failpoints._hits)))
    sys.exit(code)
