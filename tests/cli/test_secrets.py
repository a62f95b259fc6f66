"""The store's password is in no output, log, traceback, file or argument, whatever goes wrong."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop_files import orders, write_shop
from tests.topologies.nodes import node

PASSWORD = "S3CR3T-xyz"
MAIN = "import sys; from recommender.cli.main import main; sys.exit(main())"
COMMANDS = (
    ["reindex"],
    ["related", "a"],
    ["status"],
    ["generations"],
    ["rollback"],
    ["hide", "a"],
    ["doctor"],
    ["config"],
    ["serve", "--port", "0"],
)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("secrets"), orders(*[("a", "b", "c")] * 9))


@pytest.fixture(params=["refused", "wrong password"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A store that takes nobody in."""
    if request.param == "refused":
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            yield f"redis://:{PASSWORD}@127.0.0.1:{bound.getsockname()[1]}"
        return
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s.sock"
        options = ["--port", "0", "--unixsocket", path, "--requirepass", "another"]
        with node(Path(folder), f"unix://:another@{path}", *options):
            yield f"unix://:{PASSWORD}@{path}"


@pytest.mark.fault("S14")
@pytest.mark.server
def test_no_failure_tells_the_password(config: Path, url: str) -> None:
    environment = os.environ | {"RECOMMENDER_STORE__URL": url}
    for words in COMMANDS:
        command = [sys.executable, "-c", MAIN, *words]
        command += ["--config", str(config), "--debug"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
        if words[0] == "serve":
            process.stdout.readline()  # type: ignore[union-attr]
            process.terminate()
        told, _ = process.communicate(timeout=120)
        assert PASSWORD not in told.decode()
        assert (process.returncode == 0) == (words[0] in {"config", "serve"})
    written = [path for path in config.parent.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if PASSWORD.encode() in path.read_bytes()] == []
