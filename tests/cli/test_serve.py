"""`recommender serve` as a process: shops, keys, processes, TLS, its end, its refusals."""

import http.client
import json
import os
import signal
import socket
import ssl
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
from recommender.cli.serve import listening
from recommender.publishing.embedded import Embedded
from recommender.service.keys import new_key
from tests.serving.servers import until
from tests.support.shop_files import orders, write_shop
from tests.topologies.nodes import program

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


def fetched(
    url: str, item: str = "a", key: str = "", context: ssl.SSLContext | None = None
) -> dict[str, object]:
    request = urllib.request.Request(
        url.replace("ITEM", item), headers={"x-api-key": key} if key else {}
    )
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
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
    path = tmp_path / "keys"
    key, kept = new_key("web", ["read"])
    path.write_text(f"{kept.line()}\nkey-plain\n")
    with serving(str(path), str(configs[0])) as (process, (url,)):
        with pytest.raises(HTTPError, match="401"):
            fetched(url)
        assert fetched(url, key="key-plain")["item"] == "a"
        assert fetched(url, key=key)["item"] == "a"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0
        assert process.stderr is not None
        warning = process.stderr.readline()
        assert "1 API keys in plain text; run recommender keys hash" in warning
        assert "key-plain" not in warning


def test_the_console_is_served_beside_the_api(configs: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{new_key('anna', ['read'])[1].line()}\n")
    with serving(str(path), str(configs[0]), "--console") as (process, _):
        assert process.stdout is not None
        console = process.stdout.readline().strip()
        assert urlsplit(console).path == "/console/"
        with urllib.request.urlopen(console, timeout=20) as answer:
            assert b"API key" in answer.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def half_sent(url: str, context: ssl.SSLContext | None = None) -> tuple[socket.socket, bytes]:
    """A connection with a request of which the last bytes are still to be sent."""
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)
    if context is not None:
        client = context.wrap_socket(client, server_hostname=parts.hostname)
    body = b'{"items": ["a"]}'
    head = f"POST /v1/acme/related HTTP/1.1\r\nhost: shop\r\ncontent-length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body[:-1])
    return client, body[-1:]


def refused(url: str) -> bool:
    """Whether nothing listens any more."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20).close()
    except OSError:
        return True
    return False


def all_of(client: socket.socket) -> bytes:
    answer = b""
    while data := client.recv(4096):
        answer += data
    return answer


def test_a_request_in_flight_is_answered_before_the_end(configs: tuple[Path, Path]) -> None:
    with serving("-", str(configs[0])) as (process, (url,)):
        assert shown(url) == {"b", "c"}
        client, rest = half_sent(url)
        with client:
            process.send_signal(signal.SIGTERM)
            until(lambda: refused(url))
            assert process.poll() is None
            client.sendall(rest)
            assert all_of(client).startswith(b"HTTP/1.1 200")
        assert process.wait(timeout=20) == 0


def children(process: subprocess.Popen[str]) -> set[int]:
    """The processes that answer requests."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(each) for each in found if b"spawn_main" in command_line(int(each))}


def command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its private key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_processes_share_a_port_and_are_replaced_and_drained(
    configs: tuple[Path, Path], tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(cafile=cert)
    options = ["--processes", "2", "--cert", str(cert), "--key", str(key)]
    with serving("-", str(configs[0]), *options) as (process, (url,)):
        assert url.startswith("https://")

        def answers() -> bool:
            try:
                return fetched(url, context=context)["status"] == "ok"
            except OSError:
                return False

        until(answers, 60)
        first = children(process)
        assert len(first) == 2
        killed = first.pop()
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(children(process) - {killed}) == 2, 60)
        until(answers, 60)
        last = children(process)
        client, rest = half_sent(url, context)
        with client:
            process.send_signal(signal.SIGTERM)
            until(lambda: refused(url))
            client.sendall(rest)
            assert b"HTTP/1.1 200" in all_of(client)
        assert process.wait(timeout=60) == 0
        assert not any(map(command_line, last))


@pytest.mark.long
def test_processes_end_with_the_one_that_started_them(configs: tuple[Path, Path]) -> None:
    with serving("-", str(configs[0]), "--processes", "2") as (process, (url,)):
        assert shown(url) == {"b", "c"}
        orphans = children(process)
        process.kill()
        until(lambda: not any(map(command_line, orphans)), 60)
        assert refused(url)


def test_shops_agree_on_their_service(configs: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('shop = "third"\n[service]\nrequests = 9\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOMMENDER_CONFIG", f"{configs[0]}:{other}")
        said = subprocess.run(
            [*COMMAND, "127.0.0.1", "0", "-"], capture_output=True, text=True, check=False
        ).stderr
    assert "shop 'third': its table [service] differs from that of 'acme'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["127.0.0.1", "0", "-", "nowhere.toml"], "no settings file 'nowhere.toml'"),
        (["127.0.0.1", "0", "nowhere", "{config}"], "API keys nowhere: cannot be read"),
        (["127.0.0.1", "0", os.devnull, "{config}"], "contains no key"),
        (["127.0.0.1", "{taken}", "-", "{config}"], "cannot listen there"),
        (["127.0.0.1", "99999", "-", "{config}"], "cannot listen there"),
        (["no host", "0", "-", "{config}"], "cannot listen there"),
        (["127.0.0.1", "0", "-", "{config}", "--processes", "0"], "--processes 0: use 1 to 256"),
        (["127.0.0.1", "0", "-", "{config}", "--cert", "{config}"], "--cert, --key: give both"),
        (
            ["127.0.0.1", "0", "-", "{config}", "--cert", "{config}", "--key", "nowhere.pem"],
            "--key nowhere.pem: ",
        ),
        (["127.0.0.1", "0", "-", "{config}", "--console"], "nobody could sign in"),
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
    assert done.returncode == (2 if "--processes" in arguments else 3)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
