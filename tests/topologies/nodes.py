"""Redis servers with configurations of their own, on loopback ports or sockets."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.serving import servers
from tests.support.repository import CONFIG

PASSWORD = "S3CR3T-xyz"
ACL = CONFIG / "redis-acl.conf"


def program(name: str) -> str:
    """Where program `name` lies; where it is missing: a skip on a laptop, a failure in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@contextmanager
def node(folder: Path, url: str, *arguments: str, server: str = "redis-server") -> Iterator[Redis]:
    """Run one of `servers.BINARIES` without persistence; yields a client of `url` once it answers.

    `arguments` begin with a configuration file, or with options of the server.
    """
    folder.mkdir(exist_ok=True)
    binary = servers.binary_of(server)
    settings = ["--dir", str(folder), "--bind", "127.0.0.1", "--logfile", "server.log"]
    command = [str(binary), *arguments, *settings, "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            with Redis.from_url(url) as client:
                servers.until(lambda: process.poll() is not None or servers.answers(client))
                assert process.poll() is None, Path(folder, "server.log").read_text()[-500:]
                yield client
        finally:
            process.kill()
