"""Rows 49, 50 and threat S13 at the wire: no address, redirect, size or time is trusted."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recommender.vectors.content import http_post
from recommender.vectors.content.http_post import HttpRequest, HttpResponse, post
from tests.support.text_api_server import Handler, Reply, TextServer, running


@pytest.fixture(scope="module")
def running_server() -> Iterator[TextServer]:
    with running() as server:
        yield server


@pytest.fixture
def server(running_server: TextServer) -> TextServer:
    running_server.script.clear()
    running_server.requests = 0
    return running_server


def request_to(url: str, **changes: Any) -> HttpRequest:  # noqa: ANN401
    body = json.dumps({"model": "m", "input": ["a"], "dimensions": 8})
    fields: dict[str, Any] = {"headers": {}, "body": body, "timeout_s": 5.0, "limit": 100_000}
    return HttpRequest(url=f"{url}/embeddings", **{**fields, **changes})


def test_a_whole_answer(server: TextServer) -> None:
    answer = post(request_to(server.url))
    assert (answer.status, len(json.loads(answer.body)["data"])) == (200, 1)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
    ],
)
def test_waits_that_servers_ask_for(headers: dict[str, str], wait: float | None) -> None:
    assert HttpResponse(429, headers=headers).asked_wait() == wait


@pytest.mark.fault(50, "S13")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_and_not_followed(server: TextServer, status: int) -> None:
    place = "http://169.254.169.254/latest/meta-data/"
    server.script[1] = lambda handler, _: handler.send(status, b"", Location=place)
    answer = post(request_to(server.url))
    assert answer.status == status
    assert answer.headers is not None
    assert answer.headers["location"] == place
    assert server.requests == 1


@pytest.mark.fault("S13")
@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_metadata_addresses_are_refused_after_resolution(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve(monkeypatch, ["127.0.0.1", address])
    answer = post(request_to("http://models.example:9/v1"))
    assert answer.refused
    assert "link-local or metadata" in answer.reason


@pytest.mark.fault("S13")
def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(
    server: TextServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    port = server.url.rpartition(":")[2]
    assert post(request_to(f"http://models.example:{port}")).status == 200
    assert post(request_to(f"http://models.example:{port}")).refused
    assert server.requests == 1


def test_link_local_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["169.254.169.254"])
    assert http_post.addresses("models.example", 80, link_local=True) == ["169.254.169.254"]


@pytest.mark.fault("S13")
def test_a_key_goes_over_http_to_private_hosts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, ["93.184.216.34"])
    answer = post(request_to("http://models.example/v1", headers={"Authorization": "Bearer K"}))
    assert answer.refused
    assert "over https only" in answer.reason


def resolve(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Let names lead to these addresses, the last for ever."""
    left = list(answers)

    def fake(_host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", fake)
    monkeypatch.setattr(socket, "create_connection", connected_at)


def connected_at(place: tuple[str, int], timeout: float) -> socket.socket:
    """A connection that needs no resolver of its own."""
    made = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
    made.settimeout(timeout)
    made.connect(place)
    return made


def endless(handler: Handler, _: object) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.server_state.closing.is_set():
        handler.wfile.write(b" " * 65_536)


def dripping(handler: Handler, _: object) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server_state.closing.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def silent_server(handler: Handler, _: object) -> None:
    handler.server_state.closing.wait(20)


def cut(handler: Handler, _: object) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"data": [')
    handler.close_connection = True


@pytest.mark.fault("S13")
def test_a_huge_answer_is_cut_at_the_cap(server: TextServer) -> None:
    server.script[1] = endless
    answer = post(request_to(server.url, limit=300_000, timeout_s=30.0))
    assert answer.refused
    assert "more than 300,000 bytes" in answer.reason


@pytest.mark.fault(49, "S13")
@pytest.mark.parametrize("reply", [dripping, silent_server])
def test_the_whole_exchange_has_one_deadline(server: TextServer, reply: Reply) -> None:
    server.script[1] = reply
    answer = post(request_to(server.url, timeout_s=0.4))
    assert answer == HttpResponse(0, "no whole answer within 0.4 s")


@pytest.mark.fault(50)
def test_an_answer_that_ends_early_is_none(server: TextServer) -> None:
    server.script[1] = cut
    answer = post(request_to(server.url))
    assert answer.status == 0
    assert "cut off 990 bytes" in answer.reason


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = post(request_to(f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert (answer.status, answer.refused) == (0, False)
    assert "Refused" in answer.reason


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and its own certificate for localhost, in one file."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    outputs = ["-keyout", str(path), "-out", str(path.with_name("c.pem"))]
    subprocess.run([*command.split(), *names, *outputs], check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("c.pem").read_text())
    return path


@pytest.mark.fault("S13")
def test_only_a_server_that_proves_its_name_is_told_the_key(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"Authorization": "Bearer K"}
    with running(certificate) as server:
        port = server.url.rpartition(":")[2].removesuffix("/v1")
        stranger = post(request_to(f"https://localhost:{port}/v1", headers=key))
        assert stranger.refused
        assert "certificate" in stranger.reason
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("c.pem")))
        assert post(request_to(f"https://127.0.0.1:{port}/v1", headers=key)).refused
        assert server.requests == 0
        assert post(request_to(f"https://localhost:{port}/v1", headers=key)).status == 200
        assert server.keys == {"Bearer K"}
