"""`recommender serve` as a process: shops of settings files, API keys, its end, its refusals."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from recommender.cli.main import run
from recommender.cli.maintenance import listening
from recommender.publishing.embedded import Embedded
from tests.serving.servers import until
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c")] * 3
COMMAND = [sys.executable, "-m", "tests.service.command"]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two shops, each with an embedded store of its own and one generation live."""
    made = []
    for shop in ("acme", "other"):
        folder = tmp_path_factory.mktemp(shop)
        config = write_shop(folder, orders(*BASKETS))
        config.write_text(config.read_text().replace('"acme"', f'"{shop}"', 1))
        assert run(["reindex", "--config", str(config)]) == 0
        made.append(config)
    return made[0], made[1]


@contextmanager
def serving(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Serve on a free port; yields the process, and the URLs that it says it answers."""
    count = len((environment or {}).get("RECOMMENDER_CONFIG", "").split(":"))
    with subprocess.Popen(
        [*COMMAND, "127.0.0.1", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    ) as process:
        try:
            assert process.stdout is not None
            yield process, [process.stdout.readline().strip() for _ in range(count)]
        finally:
            process.kill()


def fetched(url: str, item: str = "a", key: str = "") -> dict[str, object]:
    request = urllib.request.Request(
        url.replace("ITEM", item), headers={"x-api-key": key} if key else {}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        shown: dict[str, object] = json.load(answer)
    return shown


def shown(url: str) -> set[str]:
    """The related items of `a`, once Redis could be read in time."""
    until(lambda: fetched(url)["status"] == "ok")
    items = cast("list[dict[str, str]]", fetched(url)["items"])
    return {item["id"] for item in items}


def test_shops_are_served_until_a_signal_ends_it(configs: tuple[Path, Path]) -> None:
    named = {"RECOMMENDER_CONFIG": ":".join(map(str, configs))}
    with serving("-", environment=named) as (process, urls):
        for url, shop in zip(urls, ("acme", "other"), strict=True):
            assert url.endswith(f"/v1/{shop}/items/ITEM/related")
            assert shown(url) == {"b", "c"}
        stores = [Embedded(config.parent / ".recommender") for config in configs]
        assert all(store.url() for store in stores)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert [store.url() for store in stores] == [None, None]


def test_answers_are_not_held_back_by_nagles_algorithm() -> None:
    with listening("127.0.0.1", 0) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with client, accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_kept_connection_is_answered(configs: tuple[Path, Path]) -> None:
    with serving("-", str(configs[0])) as (process, (url,)):
        parts = urlsplit(url.replace("ITEM", "a"))
        kept = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        kept.connect()
        used = kept.sock
        for _ in range(60):
            kept.request("GET", parts.path)
            assert kept.getresponse().read()
        assert kept.sock is used
        kept.close()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def test_api_keys_come_from_a_file(configs: tuple[Path, Path], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("key-one\nkey-two\n")
    with serving(str(keys), str(configs[0])) as (process, (url,)):
        with pytest.raises(HTTPError, match="401"):
            fetched(url)
        assert fetched(url, key="key-two")["item"] == "a"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["127.0.0.1", "0", "-", "nowhere.toml"], "no settings file 'nowhere.toml'"),
        (["127.0.0.1", "0", "nowhere", "{config}"], "--api-keys nowhere: cannot be read"),
        (["127.0.0.1", "0", os.devnull, "{config}"], "contains no key"),
        (["127.0.0.1", "{taken}", "-", "{config}"], "cannot listen there"),
        (["127.0.0.1", "99999", "-", "{config}"], "cannot listen there"),
        (["no host", "0", "-", "{config}"], "cannot listen there"),
        (["127.0.0.1", "0", "-"], "shop 'acme': 2 settings files name it"),
    ],
)
def test_a_server_that_cannot_start_says_why(
    configs: tuple[Path, Path], arguments: list[str], said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        values = {"config": configs[0], "taken": taken.getsockname()[1]}
        done = subprocess.run(
            [*COMMAND, *(argument.format(**values) for argument in arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | {"RECOMMENDER_CONFIG": f"{configs[0]}:{configs[0]}"},
        )
    assert done.returncode == 3
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
