"""Clients that are slow, many, or never read, before a real server."""

import asyncio
import http.client
import json
import logging
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from recommender.cli.serve import listening
from recommender.service.limits import (
    LINES_PER_S,
    OTHER_DESCRIPTORS,
    FewLines,
    LimitedProtocol,
    Room,
    most_connections,
)
from recommender.service.models import RequestRefused
from tests.serving.servers import until

HALF_HEAD = b"GET /small HTTP/1.1\r\nhost: shop\r\nx-a"
HALF_BODY = b"POST /small HTTP/1.1\r\nhost: shop\r\ncontent-length: 9\r\n\r\n{"
SMALL = b"GET /small HTTP/1.1\r\nhost: shop\r\n\r\n"
BIG = 64 * 2**20


class Quick(LimitedProtocol):
    request_s = 0.5
    write_s = 0.5
    most = 8


class Patient(LimitedProtocol):
    most = 8


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body; `/slow` answers after a second, `/big` with more than buffers hold."""
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    body = b"x" * (BIG if scope["path"] == "/big" else 2)
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for start in range(0, len(body), 2**16):
        part = body[start : start + 2**16]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


@contextmanager
def serving(protocol: type[LimitedProtocol]) -> Iterator[tuple[int, uvicorn.Server]]:
    config = uvicorn.Config(
        app, http=protocol, ws="none", log_config=None, lifespan="off", access_log=False
    )
    server = uvicorn.Server(config)
    with listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started)
            yield port, server
        finally:
            server.should_exit = True
            thread.join(20)


def connected(port: int, sent: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(sent)
    return client


def get(port: int, path: str) -> http.client.HTTPResponse:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asked.request("GET", path)
    answer = asked.getresponse()
    answer.read()
    asked.close()
    return answer


def answered(client: socket.socket) -> bool:
    """Whether a small answer comes whole."""
    answer = b""
    while not answer.endswith(b"xx") and (data := client.recv(1000)):
        answer += data
    return answer.startswith(b"HTTP/1.1 200")


def hung_up(client: socket.socket) -> bool:
    """Whether the server ends the connection without an answer."""
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


@pytest.mark.fault(66)
@pytest.mark.parametrize("sent", [b"", HALF_HEAD, HALF_BODY], ids=["none", "head", "body"])
def test_a_request_that_never_arrives_is_ended(sent: bytes) -> None:
    with serving(Quick) as (port, server), connected(port, sent) as client:
        assert hung_up(client)
        until(lambda: not server.server_state.connections)
        until(lambda: not server.server_state.tasks)


@pytest.mark.fault(66)
def test_bytes_that_trickle_in_win_no_time() -> None:
    ended = threading.Event()
    with serving(Quick) as (port, _), connected(port, HALF_HEAD) as client:

        def trickle() -> None:
            while not ended.wait(0.05):
                try:
                    client.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        assert hung_up(client)
        ended.set()
        thread.join()


def test_a_kept_connection_waits_again_for_each_request() -> None:
    with serving(Quick) as (port, server), connected(port) as client:
        for _ in range(3):
            client.sendall(SMALL)
            assert answered(client)
        client.sendall(HALF_HEAD)
        assert hung_up(client)
        until(lambda: not server.server_state.connections)


@pytest.mark.fault(66)
def test_an_answer_that_nobody_reads_is_ended() -> None:
    asked = SMALL.replace(b"small", b"big")
    with serving(Quick) as (port, server), connected(port, asked):
        until(lambda: len(server.server_state.connections) == 1)
        until(lambda: not server.server_state.connections)
        until(lambda: not server.server_state.tasks)


@pytest.mark.fault(66)
def test_half_sent_requests_shut_nobody_out() -> None:
    with serving(Patient) as (port, server), ExitStack() as clients:
        half_sent = [
            clients.enter_context(connected(port, HALF_BODY if number % 2 else HALF_HEAD))
            for number in range(5 * Patient.most)
        ]
        for _ in range(3 * Patient.most):
            assert get(port, "/small").status == 200
        assert len(server.server_state.connections) <= Patient.most
        assert hung_up(half_sent[0])


@pytest.mark.fault(67)
def test_beyond_the_connections_that_are_worked_on_one_is_asked_to_come_later() -> None:
    asked = SMALL.replace(b"small", b"slow")
    with serving(Patient) as (port, server), ExitStack() as clients:
        busy = [clients.enter_context(connected(port, asked)) for _ in range(Patient.most)]
        until(lambda: len(server.server_state.tasks) == Patient.most)
        refused = get(port, "/small")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert all(answered(client) for client in busy)


def test_a_request_that_is_worked_on_is_answered_before_the_end() -> None:
    with serving(Patient) as (port, server):
        with (
            connected(port, SMALL.replace(b"small", b"slow")) as client,
            connected(port, HALF_HEAD),
        ):
            until(lambda: len(server.server_state.tasks) == 1)
            server.should_exit = True
            assert answered(client)
        with pytest.raises(OSError, match=r"refused|reset"):
            connected(port, SMALL).recv(1)


@pytest.mark.fault(67)
def test_requests_at_once_have_a_bound() -> None:
    room = Room(2)
    with room.place(), room.place(), pytest.raises(RequestRefused) as refused, room.place():
        pass
    assert refused.value.status == 503
    for _ in range(3):
        with room.place():
            pass


def test_connections_leave_descriptors_for_the_rest() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most_connections(1) == 1
    assert most_connections(10**9) in (10**9, soft - OTHER_DESCRIPTORS)


def test_few_lines_are_logged_a_second(caplog: pytest.LogCaptureFixture) -> None:
    log, few = logging.getLogger("uvicorn.error"), FewLines()
    log.addFilter(few)
    try:
        for _ in range(100):
            log.warning("Invalid %s request received.", "HTTP")
        first = len(caplog.records)
        assert LINES_PER_S <= first <= 3 * LINES_PER_S

        def counted() -> bool:
            log.warning("later")
            return "left out" in caplog.text

        until(counted)
    finally:
        log.removeFilter(few)
    assert "later (" in caplog.text


def test_what_is_no_http_is_refused_in_json() -> None:
    sent = b"GET /small HTTP/1.1\r\nhost: shop\r\nif-none-match: a\x00b\r\n\r\n"
    with serving(Patient) as (port, _), connected(port, sent) as client:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.getheader("content-type")) == (400, "application/json")
        assert json.loads(answer.read()) == {"detail": "Invalid HTTP request received."}
