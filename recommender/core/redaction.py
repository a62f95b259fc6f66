"""Redaction: no secret in anything that is printed or logged.

`redacted` is the one rule. All that a process writes to stderr passes it in `Guarded`, which
`guarded` puts in place of the stream: messages, tracebacks, logs and progress. The stream also
survives that nobody takes in what is written, such as a closed or full stderr.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast
from urllib.parse import unquote

MASK = "***"
SHORTEST = 6
"""Secrets with fewer characters are concealed in URLs and options alone: they may be any word."""
SECRET_NAMES = r"(?:pass|user|secret|token|key|cred|auth|sig)"

_USER = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s\"'<>]*@", re.IGNORECASE)
_OPTION = re.compile(rf"([?&;][^=&;\s\"']*{SECRET_NAMES}[^=&;\s\"']*=)[^&;\s\"']*", re.IGNORECASE)
_INPUT = re.compile(r"\binput_value=.*?(?=, input_type=|\]$|$)", re.MULTILINE)
_concealed: set[str] = set()


def conceal(secret: str) -> None:
    """Replace a secret from now on wherever this process prints it, as repr and URLs write it."""
    plain = {secret, unquote(secret)}
    for form in plain | {repr(each)[1:-1] for each in plain}:
        if len(form) >= SHORTEST:
            _concealed.add(form)


def conceal_url(url: str) -> None:
    """Conceal the password of a URL, or a user without one, and its secret options."""
    user, at, _ = url.partition("://")[2].rpartition("@")
    if at:
        for part in (user, user.partition(":")[2]):
            conceal(part)
    for match in _OPTION.finditer(url):
        conceal(match[0].removeprefix(match[1]))


def redacted(text: str) -> str:
    """The text without secrets: users and passwords in URLs, secret options, concealed values."""
    for secret in sorted(_concealed, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _USER.sub(rf"\1{MASK}@", text)
    text = _OPTION.sub(rf"\1{MASK}", text)
    return _INPUT.sub(f"input_value={MASK}", text)


def redacted_url(url: str) -> str:
    """The URL without its user, password and secret options; it need not be well formed."""
    url = re.sub(r"//.*@", f"//{MASK}@", url, flags=re.DOTALL)
    return re.sub(
        rf"([?&;][^=&]*{SECRET_NAMES}[^=&]*=).*", rf"\1{MASK}", url, flags=re.DOTALL | re.IGNORECASE
    )


class Guarded:
    """A text stream that redacts what is written, and on which no write fails."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text without its secrets."""
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or not there
            self._stream.write(redacted(text))  # type: ignore[union-attr]
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        with suppress(OSError, ValueError, AttributeError):
            self._stream.flush()  # type: ignore[union-attr]

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        with suppress(OSError, ValueError):
            return self._stream is not None and self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Let all that is written to stderr pass `Guarded` while the block runs."""
    before = sys.stderr
    sys.stderr = cast("TextIO", Guarded(before))
    try:
        yield
    finally:
        sys.stderr = before


def occupy_closed_descriptors() -> None:
    """Open /dev/null for each standard descriptor that is closed.

    A file or connection would get its number otherwise, and what a library prints would go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - as long as the process


class RedactingFormatter(logging.Formatter):
    """A formatter of log records that redacts what another one makes of them."""

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and its traceback, without secrets."""
        return redacted(self._formatter.format(record))
