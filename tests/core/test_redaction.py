"""Secrets are in nothing that is printed, and a stream that nobody reads stops nobody."""

import io
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core import redaction
from recommender.core.redaction import (
    Guarded,
    RedactingFormatter,
    conceal,
    conceal_url,
    guarded,
    redacted,
    redacted_url,
)

SECRET = "S3CR3T-xyz"


@pytest.fixture(autouse=True)
def nothing_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_concealed", set())


@pytest.mark.fault("S14")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"store redis://:{SECRET}@host:1/0: refused", "store redis://***@host:1/0: refused"),
        (f"store redis://u:p@ss#{SECRET}@host: no", "store redis://***@host: no"),
        (f"s3://KEY:a/b+{SECRET}@bucket/prefix/x", "s3://***@bucket/prefix/x"),
        (f"rediss://h/0?ssl_password={SECRET}&db=1", "rediss://h/0?ssl_password=***&db=1"),
        (f"s3://b?aws_secret_access_key={SECRET}", "s3://b?aws_secret_access_key=***"),
        (
            f"x [type=string_type, input_value=['{SECRET}', 1], input_type=list]",
            "x [type=string_type, input_value=***, input_type=list]",
        ),
        ("mail me@example.org, see http://example.org/a?b=c", None),
    ],
)
def test_what_is_a_secret_by_its_form(text: str, shown: str | None) -> None:
    assert redacted(text) == (text if shown is None else shown)


WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=6)


@given(secret=WORDS, around=st.text())
def test_a_concealed_value_is_in_no_text(secret: str, around: str) -> None:
    conceal(secret)
    assert secret not in redacted(f"{around}{secret} {secret!r}")


@given(WORDS.filter(lambda user: ":" not in user), WORDS)
def test_the_parts_of_a_url_are_concealed(user: str, password: str) -> None:
    conceal_url(f"redis://{user}:{password}@host:6379/0")
    assert password not in redacted(f"{password} {password!r}")


def test_a_short_word_is_no_secret_by_itself() -> None:
    conceal("acme")
    assert redacted("shop acme") == "shop acme"
    assert redacted_url("redis://:acme@host") == "redis://***@host"


def test_logs_and_tracebacks_pass_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    conceal(SECRET)
    with guarded():
        sys.stderr.write(f"{SECRET}\n")
        logging.StreamHandler().emit(
            logging.LogRecord("n", logging.ERROR, "p", 1, "%s", (SECRET,), None)
        )
    assert capsys.readouterr().err == "***\n***\n"
    formatter = RedactingFormatter(logging.Formatter("%(levelname)s %(message)s"))
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "%s", (SECRET,), None)
    assert formatter.format(record) == "ERROR ***"


class Full(io.StringIO):
    """A stream of a full disk."""

    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.fault(58)
def test_no_write_fails() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed, Full()):
        stderr = Guarded(stream)
        assert stderr.write("text") == 4
        stderr.flush()
        assert not stderr.isatty()


@pytest.mark.fault(58)
def test_a_closed_descriptor_is_not_given_to_a_file() -> None:
    code = (
        "import os, sys\n"
        "from recommender.core.redaction import occupy_closed_descriptors as occupy\n"
        "occupy()\n"
        "opened = os.open('/dev/zero', os.O_RDONLY)\n"
        "print('to nobody')\n"
        "sys.exit(0 if opened > 2 else 1)\n"
    )
    shell = f'exec {sys.executable} -c "$CODE" >&- 2>&-'
    assert subprocess.run(["sh", "-c", shell], env=os.environ | {"CODE": code}).returncode == 0
