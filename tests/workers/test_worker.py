"""A real worker on a real broker, with jobs that are good, that fail and that are forged."""

import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.serving.lookup import RelatedItems
from tests.serving.servers import until
from tests.workers.fleet import (
    CLOSED,
    PASSWORD,
    QUEUE,
    Worker,
    broker,
    call,
    envelope,
    headers,
    worker,
    write_tiny_shop,
)

pytestmark = pytest.mark.server

FORGED: dict[str, str | bytes] = {
    "no JSON": "{{{",
    "no text": b"\xff\xfe\x00",
    "deep JSON": "[" * 100_000 + "]" * 100_000,
    "a number": "7",
    "a list": "[1]",
    "an empty table": "{}",
    "no headers": envelope(head=7),
    "empty headers": envelope(head={}),
    "no properties": envelope(changed={"properties": {}}),
    "no delivery info": envelope(changed={"properties": {"delivery_tag": "x"}}),
    "no base64": envelope(changed={"body": "!"}),
    "body is no text": envelope(changed={"body": 7}),
    "no body": envelope(changed={"body": None}),
    "unknown task": envelope(head=headers(task="os.system")),
    "task of Celery": envelope(head=headers(task="celery.backend_cleanup")),
    "task is a list": envelope(head=headers(task=["workers.reindex"])),
    "no id": envelope(head={"task": "workers.reindex"}),
    "long id": envelope(head=headers(id="i" * 100_000)),
    "id is a table": envelope(head=headers(id={"a": 1})),
    "name for the log": envelope(head=headers(shadow="a\nb")),
    "time limit": envelope(head=headers(timelimit=[0.1, 0.1])),
    "time limit is text": envelope(head=headers(timelimit="x")),
    "expiry is a list": envelope(head=headers(expires=[1])),
    "far time": envelope(head=headers(eta="0001-01-01T00:00:00+23:59")),
    "endless retries": envelope(head=headers(retries=-1_000_000)),
    "compressed": envelope(head=headers(compression="application/x-gzip")),
    "other encoding": envelope(changed={"content-encoding": "nonsense"}),
    "raw content": envelope(content_type="application/data"),
    "content type is a list": envelope(content_type=["json"]),
    "body of 5 MB": envelope(["a" * 5_000_000]),
    "5 MB for an unknown task": envelope(["a" * 5_000_000], head=headers(task="x")),
    "body is no JSON": envelope(body=b"{{{" + b"x" * 100),
    "body is a number": envelope(body=b"7"),
    "body is null": envelope(body=b"null"),
    "body is a table": envelope(body=b'{"a": 1}'),
    "names are a list": envelope(body=b'[["acme"], [], {}]'),
    "attachment is a number": envelope(body=b'[["acme"], {}, 7]'),
    "a call attached": envelope(body=b'[["acme"], {}, {"chain": [{"task": "workers.reindex"}]}]'),
    "typed JSON": envelope(body=b'[[{"__type__": "datetime", "__value__": "x"}], {}, {}]'),
    "no arguments": envelope([]),
    "two arguments": envelope(["acme", "x"]),
    "other arguments": envelope(body=call("acme", config="/etc/passwd")),
}
ODD_SHOPS = ["../../etc/passwd", "acme/../x", "beta", "", "a\nb", 7, None, ["a"], "a" * 3000]


class CreatesAFile:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.path,)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose database 0 is the broker and 1 the serving store."""
    with broker(tmp_path_factory.mktemp("broker")) as url:
        yield url


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory, url: str) -> list[Path]:
    """A good shop, one whose store is off and one whose orders are missing."""
    folder = tmp_path_factory.mktemp("shops")
    stores = {"acme": f"{url}/1", "dark": CLOSED, "bare": f"{url}/1"}
    configs = [
        write_tiny_shop(folder, shop, store=store, broker=f"{url}/0")
        for shop, store in stores.items()
    ]
    (folder / "bare" / "orders.csv").unlink()
    return configs


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, configs: list[Path], url: str
) -> Iterator[Worker]:
    with worker(tmp_path_factory.mktemp("worker"), configs, f"{url}/0") as running:
        yield running
        assert PASSWORD not in running.log


def send(shop: str, running: Worker) -> str:
    """Send a reindex as beat does; returns its id."""
    head = headers()
    running.queue.lpush(QUEUE, envelope([shop], head=head))
    return str(head["id"])


def test_a_reindex_through_the_queue_is_live(running: Worker, url: str) -> None:
    shop = RelatedItems(f"{url}/1", "acme", deadline_s=2)
    assert shop.get("a").status == "degraded"
    running.said(f"Task workers.reindex[{send('acme', running)}] succeeded")
    until(lambda: shop.get("a").status == "ok", 60)
    found = shop.get("a")
    assert "b" in {item.id for item in found.items}
    shop.close()
    running.settled()


@pytest.mark.fault(31, "S7")
def test_a_pickle_is_never_opened(running: Worker, tmp_path: Path) -> None:
    created = tmp_path / "created"
    body = pickle.dumps(CreatesAFile(created))
    logged = running.logged_for(envelope(body=body, content_type="application/x-python-serialize"))
    assert len(logged) == 1
    assert "refused message: fault=content type 'application/x-python-serialize'" in logged[0]
    assert not created.exists()
    pickle.loads(body)
    assert created.exists()


@pytest.mark.fault(31, "S7")
@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_message_takes_one_line(running: Worker, kind: str) -> None:
    logged = running.logged_for(FORGED[kind])
    assert len(logged) == 1
    assert re.search("WARNING.*(refused message: fault=|dropped what is no message: )", logged[0])
    assert len(logged[0]) < 350
    assert running.lives


@pytest.mark.fault("S8")
@pytest.mark.parametrize("shop", ODD_SHOPS, ids=lambda shop: repr(shop)[:20])
def test_odd_shops_are_refused(running: Worker, shop: object) -> None:
    head = headers()
    start = len(running.log)
    running.queue.lpush(QUEUE, envelope([shop], head=head))
    logged = running.said(f"{head['id']}] raised expected: ConfigError", after=start).splitlines()
    failures = [line for line in logged if "event=reindex_failed shop=" in line]
    assert len(failures) == 1
    assert len(failures[0]) < 300
    assert len(logged) == 3


def test_a_failure_is_logged(running: Worker) -> None:
    start = len(running.log)
    logged = running.said(f"[{send('bare', running)}] raised expected: ", after=start)
    assert re.search(r"ERROR.*event=reindex_failed shop='bare' error=.*orders\.csv", logged)
    assert "Traceback" not in logged
    assert "retry" not in logged


def test_a_store_that_is_off_is_tried_again(running: Worker) -> None:
    start = len(running.log)
    job = send("dark", running)
    logged = running.said(f"Task workers.reindex[{job}] retry: Retry in 15s", after=start)
    assert "error=store redis://127.0.0.1:1/0: " in logged
    running.said(f"Task workers.reindex[{job}] received", after=start + len(logged))


def test_a_good_job_still_runs_after_all_that(running: Worker) -> None:
    """Runs last: the worker is the one that met every other test of this file."""
    running.said(f"Task workers.reindex[{send('acme', running)}] succeeded")
    assert "Connection to broker lost" not in running.log
    assert "Traceback" not in running.log
    assert running.queue.llen(QUEUE) == 0

    def waits_for_the_store_alone() -> bool:
        waiting = running.queue.hvals("recommender:unacked")
        return [json.loads(kept)[0]["headers"]["retries"] for kept in waiting] == [1]

    until(waits_for_the_store_alone)
