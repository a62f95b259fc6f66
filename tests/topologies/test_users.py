"""config/redis-acl.conf on a real server: who can do what, and what happens to everybody else."""

import logging
import re
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
from kombu.connection import Connection
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from recommender.errors import StoreUnavailable
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.keys import Keys
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers
from tests.topologies.nodes import ACL, PASSWORD, node

pytestmark = pytest.mark.server

FORBIDDEN = [
    ("CONFIG", "SET", "maxmemory", "1"),
    ("CONFIG", "GET", "*"),
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("ACL", "LIST"),
    ("SCRIPT", "FLUSH"),
    ("FUNCTION", "LIST"),
    ("SHUTDOWN",),
    ("REPLICAOF", "NO", "ONE"),
    ("MONITOR",),
    ("CLIENT", "KILL", "ID", "1"),
    ("CLIENT", "LIST"),
    ("SAVE",),
    ("SUBSCRIBE", "c"),
    ("SELECT", "1"),
]
WRITES = [
    ("SET", "rec:{acme}:live", "{}"),
    ("MSET", "rec:{acme}:live", "{}"),
    ("EVAL", "return 1", "0"),
    ("EVAL_RO", "return 1", "0"),
    ("UNLINK", "rec:{acme}:live"),
    ("DEL", "rec:{acme}:live"),
    ("HSET", "rec:{acme}:generation:1", "state", "staging"),
    ("ZADD", "rec:{acme}:hidden", "1", "+a"),
    ("SCAN", "0"),
    ("INFO",),
    ("MULTI",),
]


class Site(NamedTuple):
    """A server with the ACL file."""

    socket: Path
    admin: Redis

    def url(self, user: str, password: str = PASSWORD) -> str:
        return f"unix://{user}:{password}@{self.socket}"


@pytest.fixture(scope="module", params=servers.BINARIES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        acl = Path(folder, "acl.conf")
        acl.write_text(with_passwords(ACL.read_text()))
        socket = Path(folder, "s.sock")
        url = f"unix://admin:{PASSWORD}@{socket}"
        arguments = [str(acl), "--port", "0", "--unixsocket", str(socket)]
        with node(Path(folder), url, *arguments, server=request.param) as admin:
            yield Site(socket, admin)


def with_passwords(acl: str) -> str:
    """The file as an owner of two shops would have it."""
    for commented in ("reader-acme", "publisher-acme"):
        acl = re.sub(rf"^# (user {commented}) ", r"\1 ", acl, flags=re.MULTILINE)
    commands = re.findall(r"^user publisher on .* -@all (.*)$", acl, flags=re.MULTILINE)
    acl = acl.replace("(and the commands of publisher)", commands[0])
    digest = sha256(PASSWORD.encode()).hexdigest()
    return re.sub(r"^(user (?!default).*)$", rf"\1 #{digest}", acl, flags=re.MULTILINE)


@pytest.fixture
def published(site: Site) -> Site:
    """The site with one generation of shops acme and other."""
    site.admin.flushall()
    with open_store(site.url("publisher")) as store:
        for shop in ("acme", "other"):
            publish(store, shop)
    return site


def publish(store: Redis, shop: str, build: int = 1) -> int:
    lists = [builds.related_lists(9, build=build)]
    publisher = Publisher(store, shop, grace_s=0.0)
    made = publisher.publish(builds.item_ids(9), lists, lists_key="l", recipe_digest="d")
    return made.id


def asked(url: str, shop: str = "acme") -> str:
    lookup = RelatedItems(url, shop, deadline_s=5.0)
    try:
        answer = lookup.get("item-0", n=3)
        assert answer.status != "ok" or answer.items == builds.expected(0, 9)
        return answer.status
    finally:
        lookup.close()


def raw(store: Redis, *command: str) -> None:
    store.execute_command(*command)  # type: ignore[no-untyped-call]


def refused(store: Redis, command: tuple[str, ...]) -> bool:
    try:
        raw(store, *command)
    except NoPermissionError:
        return True
    return False


def test_a_reader_looks_up(published: Site) -> None:
    assert asked(published.url("reader")) == "ok"


@pytest.mark.fault("S5", "S6")
def test_a_reader_does_nothing_else(published: Site) -> None:
    with open_store(published.url("reader")) as store:
        assert [command for command in FORBIDDEN + WRITES if not refused(store, command)] == []
        assert refused(store, ("GET", "elsewhere"))


def test_a_publisher_publishes_rolls_back_hides_and_collects(published: Site) -> None:
    with open_store(published.url("publisher")) as store:
        first = Publisher(store, "acme").live()
        assert first is not None
        for build in (2, 3):
            last = publish(store, "acme", build)
        publisher = Publisher(store, "acme", grace_s=0.0)
        assert publisher.rollback().id == last - 1
        publisher.collect()
        assert len(publisher.generations()) == 2
        hidden = Hidden(store, "acme")
        hidden.hide(["item-1", "item-2"])
        hidden.unhide(["item-2"])
        assert hidden.hidden() == ["item-1"]


@pytest.mark.fault("S5")
def test_a_publisher_administers_nothing(published: Site) -> None:
    with open_store(published.url("publisher")) as store:
        assert [command for command in FORBIDDEN if not refused(store, command)] == []
        assert refused(store, ("SET", "elsewhere", "1"))
        for step in ("'SET', 'elsewhere', 1", "'FLUSHALL'", "'KEYS', '*'"):
            script = f"return redis.call({step})"
            with pytest.raises(RedisError, match=r"(?i)no permissions|can't access|can't run"):
                store.eval(script, 0)


@pytest.mark.fault("S21")
def test_a_shop_is_closed_to_the_users_of_another(published: Site) -> None:
    assert asked(published.url("reader-acme")) == "ok"
    assert asked(published.url("reader-acme"), "other") == "degraded"
    keys = Keys("other")
    with open_store(published.url("reader-acme")) as store:
        for name in (keys.live, keys.related_list(1, "related", "item-0")):
            assert refused(store, ("GET", name))
        assert refused(store, ("MGET", Keys("acme").live, keys.live))
    with open_store(published.url("publisher-acme")) as store:
        assert publish(store, "acme", 2)
        with pytest.raises(StoreUnavailable, match=r"(?i)permission"):
            publish(store, "other", 2)


@pytest.mark.fault(57, "S14")
@pytest.mark.parametrize(
    ("user", "password"),
    [("reader", "S3CR3T-old"), ("default", PASSWORD), ("", PASSWORD), ("replica", PASSWORD)],
)
def test_who_may_not_read_gets_an_answer_all_the_same(
    published: Site, user: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert asked(published.url(user, password)) == "degraded"
        assert asked(f"unix://{published.socket}") == "degraded"
    assert "S3CR3T" not in caplog.text
    with pytest.raises(StoreUnavailable) as failure:
        open_store(published.url(user, "S3CR3T-old"))
    assert "S3CR3T" not in f"{failure.value!r} {failure.value.__cause__!r}"


@pytest.mark.fault(57, "S14")
def test_a_password_that_is_changed_while_a_storefront_runs(
    published: Site, caplog: pytest.LogCaptureFixture
) -> None:
    lookup = RelatedItems(published.url("reader"), "acme", deadline_s=0.5)
    servers.until(lambda: lookup.get("item-0", n=3).status == "ok")
    raw(published.admin, "ACL", "SETUSER", "reader", "resetpass", ">S3CR3T-new")
    published.admin.client_kill_filter(_type="normal", skipme=True)
    try:
        with caplog.at_level(logging.DEBUG):
            answers = [lookup.get(f"item-{row}", n=3) for row in range(9)]
        assert {answer.status for answer in answers} <= {"ok", "stale", "fallback", "degraded"}
        assert answers[-1].status != "ok"
        assert "S3CR3T" not in caplog.text
    finally:
        raw(published.admin, "ACL", "SETUSER", "reader", "resetpass", f">{PASSWORD}")
        lookup.close()


def test_no_user_of_the_file_gets_in_without_a_password_of_yours() -> None:
    with tempfile.TemporaryDirectory() as folder:
        acl = Path(folder, "acl.conf")
        acl.write_text(ACL.read_text() + "user probe on nopass +ping\n")
        socket = Path(folder, "s.sock")
        url = f"unix://probe:any@{socket}"
        with node(Path(folder), url, str(acl), "--port", "0", "--unixsocket", str(socket)):
            for user in re.findall(r"^user (\S+)", ACL.read_text(), flags=re.MULTILINE):
                for password in ("", "any"):
                    with (
                        Redis.from_url(f"unix://{user}:{password}@{socket}") as store,
                        pytest.raises(RedisError),
                    ):
                        store.ping()


def test_a_broker_moves_jobs_and_reads_no_lists(published: Site) -> None:
    options = {"global_keyprefix": "recommender:"}
    url = f"redis+socket://broker:{PASSWORD}@{published.socket}"
    with Connection(url, transport_options=options) as connection:  # type: ignore[no-untyped-call]
        queue = connection.SimpleQueue("recommender")
        queue.put({"job": 1})
        message = queue.get(timeout=10)
        message.requeue()
        again = queue.get(timeout=10)
        assert again.payload == {"job": 1}
        again.ack()
        connection.default_channel.qos.restore_visible(num=10)
        queue.close()
    assert published.admin.keys("recommender:*") != []
    with Redis.from_url(published.url("broker")) as store:
        assert refused(store, ("GET", Keys("acme").live))
        for command in (("CONFIG", "GET", "*"), ("FLUSHALL",), ("KEYS", "*"), ("ACL", "LIST")):
            assert refused(store, command)
