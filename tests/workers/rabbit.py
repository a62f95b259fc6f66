"""A RabbitMQ of its own on the loopback, with a node name, port and folder that nobody shares."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.servers import until
from tests.workers.fleet import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


@contextmanager
def rabbit(folder: Path) -> Iterator[str]:
    """The URL of a RabbitMQ that runs while the block does; a skip on a laptop without one."""
    if not SERVER.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("rabbitmq-server is not installed")
        pytest.skip("rabbitmq-server is not installed")
    folder.mkdir(parents=True)
    port, names_port = free_port(), free_port()
    settings = folder / "rabbitmq.conf"
    settings.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    env = os.environ | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"recommender-{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names_port),
    }
    # RabbitMQ would start this name server itself, and leave it running.
    names = ["epmd", "-address", "127.0.0.1", "-port", str(names_port)]
    with (
        (folder / "out").open("wb") as out,
        subprocess.Popen(names, stdout=out, stderr=out) as name_server,
        subprocess.Popen(
            [SERVER], env=env, stdout=out, stderr=out, start_new_session=True
        ) as process,
    ):
        try:
            _wait(port, process)
            yield f"amqp://guest:guest@127.0.0.1:{port}//"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            name_server.kill()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    def listens() -> bool:
        assert process.poll() is None, "RabbitMQ ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    until(listens, timeout_s=120)
