"""A PostgreSQL server of its own on loopback, run as an unprivileged user."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.servers import until

PASSWORD = "S3CR3T-pw/x"
QUOTED = "S3CR3T-pw%2Fx"


def binaries() -> Path:
    """The folder of Debian's newest server, or of the server on the path; skips without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("needs PostgreSQL's server: apt-get install postgresql")
    return (found[-1] if found else Path(str(on_path))).parent


def _user() -> dict[str, object]:
    """How a process is run as a user that PostgreSQL accepts, which root is not."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("needs a user other than root for PostgreSQL")


@contextmanager
def running_postgres() -> Iterator[str]:
    """Run a server with the user `shop`, who needs a password; yields its URL for SQLAlchemy."""
    programs, user = binaries(), _user()
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        password = folder / "password"
        password.write_text(PASSWORD)
        if user:
            for path in (folder, password):
                os.chown(path, int(str(user["user"])), int(str(user["group"])))
        data = folder / "data"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "shop",
            "--auth=scram-sha-256",
        ]
        initdb += [f"--pwfile={password}", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, **quiet, **user)  # type: ignore[call-overload]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server: list[str | Path] = [
            programs / "postgres",
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            "",
        ]
        server += ["-c", "fsync=off", "-c", "max_connections=10"]
        with subprocess.Popen(server, **quiet, **user) as process:  # type: ignore[call-overload]
            try:
                ready = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
                until(lambda: subprocess.run(ready, check=False).returncode == 0, timeout_s=30)
                yield f"postgresql+psycopg://shop:{QUOTED}@127.0.0.1:{port}/postgres"
            finally:
                process.send_signal(signal.SIGINT)  # which ends connections
                process.wait(30)
