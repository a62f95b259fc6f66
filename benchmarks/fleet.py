"""Two encode workers compared with one: `python -m benchmarks.fleet [--texts 20000] [--pairs 5]`.

Workers of one thread each encode titles with the default model, in shards of a thousand. The time
is measured from the plan of the texts to the last shard and includes loading the model. One worker
and two take turns. The benchmark starts a Redis of its own on the loopback.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from redis import Redis
from redis.exceptions import RedisError

from benchmarks.machine import machine
from recommender import pipeline
from recommender.artifacts.runs import require_run
from recommender.build import steps
from recommender.build.job import Job, resumed
from recommender.settings.loading import load

POLL_S = 0.25
WORDS = ("red", "blue", "oak", "steel", "lamp", "chair", "mug", "bowl", "soft", "kids", "wool")
SETTINGS = """
shop = "bench"
[store]
url = "{url}/1"
[broker]
url = "{url}/0"
[catalogue]
path = "items.csv"
[interactions]
path = "orders.csv"
[limits]
shard_texts = 1000
[recipe]
content.text = {{ use = "sentence-transformers" }}
"""


def main(arguments: Sequence[str]) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args(arguments)
    ratios = []
    sys.stdout.write(f"{machine()}\n\n| pair | one worker, s | two workers, s | ratio |\n")
    sys.stdout.write("| --- | --- | --- | --- |\n")
    for pair in range(options.pairs):
        one, two = _seconds(options.texts, 1), _seconds(options.texts, 2)
        ratios.append(one / two)
        sys.stdout.write(f"| {pair + 1} | {one:.1f} | {two:.1f} | {ratios[-1]:.2f} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{options.texts:,} texts, median of ratios {median(ratios):.2f}\n")


def _seconds(n_texts: int, n_workers: int) -> float:
    with tempfile.TemporaryDirectory() as name, _server(Path(name)) as url:
        config = _shop(Path(name), n_texts, url)
        with (
            _worker(config, "recommender", 1),
            _worker(config, "recommender-encode", n_workers),
        ):
            command = [sys.executable, "-m", "workers", "reindex", "--config", str(config)]
            begun = subprocess.run(command, capture_output=True, text=True, check=True)
            number = int(begun.stdout.strip().rpartition(".")[2])
            return _encoding(config, number)


def _encoding(config: Path, number: int) -> float:
    """Seconds from the plan of the texts to the last shard."""
    settings = load(config)
    job = resumed(settings.job(), require_run(settings.artifact_store(), number))
    _until(job, "text-plan.text")
    started = time.perf_counter()
    _until(job, "encode.text")
    return time.perf_counter() - started


def _until(job: Job, name: str) -> None:
    deadline = time.monotonic() + 3600
    while time.monotonic() < deadline:
        planned = pipeline.plan(job)
        if planned.build and steps.named(planned.goal, name).missing() == ():
            return
        time.sleep(POLL_S)  # planning takes CPU time that the workers lack
    raise TimeoutError(f"step {name} is not done after an hour")


def _shop(folder: Path, n_texts: int, url: str) -> Path:
    draw = random.Random(7)
    items = [f"i{number}" for number in range(n_texts)]
    titles = [" ".join(draw.choices(WORDS, k=10)) + f" {item}" for item in items]
    rows = [f"{item},{title}" for item, title in zip(items, titles, strict=True)]
    (folder / "items.csv").write_text("\n".join(["item_id,title", *rows]) + "\n")
    lines = [f"o{number},{draw.choice(items)},2026-01-01" for number in range(2000)]
    (folder / "orders.csv").write_text("\n".join(["order_id,item_id,time", *lines]) + "\n")
    config = folder / "recommender.toml"
    config.write_text(SETTINGS.format(url=url))
    return config


@contextmanager
def _worker(config: Path, queue: str, processes: int) -> Iterator[None]:
    log = config.parent / f"{queue}.log"
    options = ["--queues", queue, "--concurrency", str(processes), "--hostname", f"{queue}@%h"]
    command = [sys.executable, "-m", "celery", "-A", "workers", "worker", "--loglevel", "INFO"]
    environment = {"RECOMMENDER_CONFIG": str(config), "C_FORCE_ROOT": "true"}
    with (
        log.open("w") as output,
        subprocess.Popen(
            [*command, *options], env=os.environ | environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            while " ready." not in log.read_text():
                if process.poll() is not None:
                    raise RuntimeError(log.read_text()[-2000:])
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL) as process:
        try:
            url = f"redis://127.0.0.1:{port}"
            with Redis.from_url(url) as client:
                while not _answers(client):
                    time.sleep(0.05)
            yield url
        finally:
            process.kill()


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


if __name__ == "__main__":
    main(sys.argv[1:])
