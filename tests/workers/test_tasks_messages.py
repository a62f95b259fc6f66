import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kombu.message import Message

from tests.workers.fleet import call, headers, server
from tests.workers.test_celery import celery_app
from workers import tasks
from workers.celery import app
from workers.tasks import fault


def message(
    body: bytes | None = None,
    *,
    content_type: object = "application/json",
    content_encoding: object = "utf-8",
    **changed: object,
) -> Message:
    return Message(  # type: ignore[no-untyped-call]
        body=call("acme") if body is None else body,
        content_type=content_type,
        content_encoding=content_encoding,
        headers=headers(**changed),
        accept={"application/json"},
    )


def in_future(**span: int) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


@pytest.mark.parametrize(
    "good",
    [
        message(),
        message(json.dumps([[], {"shop": "acme"}, {}]).encode()),
        message(retries=3, eta=in_future(minutes=11)),  # after the longest lease
        message(retries=1, eta=in_future(days=-2)),
    ],
)
def test_a_job_may_run(good: Message) -> None:
    assert tasks.reindex.name in app.tasks
    assert fault(good, app.tasks) is None


@pytest.mark.fault(31, 63, "S7")
@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (message(content_type="application/x-python-serialize"), "content type"),
        (message(content_type="application/data"), "content type"),
        (message(content_type=["json"]), "content type"),
        (message(content_encoding="binary"), "content type"),
        (message(content_encoding=None), "content type"),
        (message(b""), "body of 0 bytes"),
        (message(call("a" * 5_000_000)), "body of 5000"),
        (message(b"{{{"), "no JSON"),
        (message(b"\xff\xfe"), "no JSON"),
        (message(b"[" * 2000 + b"]" * 2000), "no JSON"),
        (message(b'[[{"__type__": "datetime", "__value__": "x"}], {}, {}]'), "no JSON"),
        (message(b"7"), "no call"),
        (message(b"null"), "no call"),
        (message(b'{"args": ["acme"], "kwargs": {}}'), "no call"),
        (message(b'["a", {}, {}]'), "no call"),
        (message(b"[[], [], {}]"), "no call"),
        (message(b"[[], {}, 7]"), "no call"),
        (message(b'[["acme"], {}, {"chain": [{"task": "x"}]}]'), "attached"),
        (message(call()), "arguments: missing a required argument: 'shop'"),
        (message(call("acme", "x")), "arguments: too many"),
        (message(call("acme", config="/x")), "arguments: got an unexpected keyword"),
        (message(task="os.system"), "unknown task 'os.system'"),
        (message(task="celery.backend_cleanup"), "unknown task"),
        (message(task="workers.\n" + "x" * 500), "unknown task"),
        (message(task=["workers.reindex"]), "unknown task"),
        (message(task=None), "unknown task"),
        (message(id=None), "id None"),
        (message(id="i" * 100_000), "id 'iii"),
        (message(id={"a": 1}), "id {"),
        (message(shadow="x\ny"), "header shadow"),
        (message(expires="never"), "header expires"),
        (message(group="g"), "header group"),
        (message(stamps={"a": 1}), "header stamps"),
        (message(timelimit=[0.1, 0.1]), "header timelimit"),
        (message(timelimit="x"), "header timelimit"),
        (message(retries=4), "retries 4"),
        (message(retries=-1), "retries -1"),
        (message(retries=True), "retries True"),
        (message(retries="x"), "retries 'x'"),
        (message(retries=None), "retries None"),
        (message(eta=in_future(minutes=20)), "eta '2"),  # a worker keeps it in memory till then
        (message(eta=in_future(days=364)), "eta '2"),
        (message(eta=7), "eta 7"),
        (message(eta="x"), "eta 'x'"),
        (message(eta="2026-01-01T00:00:00"), "eta '2026"),
        (message(eta="0001-01-01T00:00:00+23:59"), "eta '0001"),
        (message(eta="9999-12-31T23:59:59-23:59"), "eta '9999"),
    ],
)
def test_what_may_not_run(bad: Message, found: str) -> None:
    found_fault = fault(bad, app.tasks)
    assert found_fault is not None
    assert found in found_fault
    assert "\n" not in found_fault
    assert len(found_fault) < 120


def test_a_compressed_body_is_refused() -> None:
    packed = Message(  # type: ignore[no-untyped-call]
        body=base64.b64decode("H4sIAAAAAAAAA4uOjtVRqK6NjY0FAHHw5bkMAAAA"),
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers(compression="application/x-gzip"),
        accept={"application/json"},
    )
    assert fault(packed, app.tasks) is not None


@pytest.mark.server
@pytest.mark.fault(8)
def test_a_message_of_a_closed_connection_is_a_lost_connection(tmp_path: Path) -> None:
    with (
        server(tmp_path) as broker,
        celery_app(f"{broker.url}/0").connection_for_write() as connection,
    ):
        queue = connection.SimpleQueue("jobs")
        queue.put({"shop": "acme"})
        message = queue.get(timeout=5)
        broker.kill()
        connection.transport.client = None  # as a close leaves it that was begun before
        message.channel._disconnect_pools()
        with pytest.raises(connection.connection_errors):
            message.ack()
        connection.maybe_close_channel(message.channel)
        assert message.channel.closed
