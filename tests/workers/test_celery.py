import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from billiard import pool
from celery import Celery
from celery.app.utils import find_app

from recommender.errors import ConfigError
from recommender.settings.loading import find_files, load
from tests.support.repository import REPOSITORY
from tests.workers.fleet import (
    CLOSED,
    PASSWORD,
    environment,
    settings_of,
    write_tiny_shop,
)
from workers.celery import JSON_ONLY, Shops, app, configuration, read_shops, require_json_only
from workers.processes import GRACE_S


def celery_app(broker_url: str = CLOSED) -> Celery:
    made = Celery("made", set_as_current=False)
    made.add_defaults(configuration(Shops({}, broker_url)))
    return made


def run(*arguments: str, config: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment(config),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["workers", "workers.celery", "workers.celery:app"])
def test_celery_finds_the_app(name: str) -> None:
    assert find_app(name) is app
    app.loader.import_default_modules()
    assert "workers.reindex" in app.tasks


def test_the_end_of_a_worker_is_not_waited_for_long() -> None:
    waits_s = (
        pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT
        * pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL
    )
    assert waits_s == GRACE_S
    waited = inspect.getsource(pool.Worker._ensure_messages_consumed)
    assert "range(GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT)" in waited


def test_json_and_nothing_else() -> None:
    assert app.conf.task_serializer == "json"
    assert app.conf.result_serializer == "json"
    assert app.conf.event_serializer == "json"
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_accept_content == ["json"]
    require_json_only(app)


@pytest.mark.fault("S7")
@pytest.mark.parametrize("name", sorted(JSON_ONLY))
@pytest.mark.parametrize("value", ["pickle", ["json", "pickle"], [], None])
def test_a_changed_serializer_is_refused(name: str, value: object) -> None:
    changed = celery_app()
    changed.conf[name] = value
    with pytest.raises(ConfigError, match=rf"^{name} = "):
        require_json_only(changed)


def test_a_job_is_acknowledged_late_and_leaves_no_result() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.task_ignore_result
    assert app.conf.worker_prefetch_multiplier == 1
    assert not app.conf.worker_hijack_root_logger
    assert not app.conf.worker_enable_remote_control


def test_no_wait_for_the_broker_is_endless() -> None:
    options = celery_app().conf.broker_transport_options
    assert options["socket_timeout"] == 15
    assert options["socket_connect_timeout"] == 5
    assert options["socket_keepalive"]
    assert options["visibility_timeout"] == 3600


@pytest.mark.parametrize(
    ("scheme", "tls"), [("redis", False), ("rediss", True), ("amqp", False), ("amqps", True)]
)
def test_every_scheme_leads_to_a_connection(scheme: str, *, tls: bool) -> None:
    made = celery_app(f"{scheme}://:{PASSWORD}@127.0.0.1:1/0")
    with made.connection_for_write() as connection:
        assert bool(connection.ssl) == tls
        assert PASSWORD not in connection.as_uri()
        with pytest.raises(connection.connection_errors, match="refused"):
            connection.connect()


@pytest.mark.fault(26)
def test_the_app_is_light(config: Path) -> None:
    code = (
        "import sys, workers.celery, workers.tasks\n"
        "workers.celery.app.conf.broker_url\n"
        "print({'torch', 'faiss', 'implicit', 'lightgbm', 'sklearn', 'sentence_transformers'} "
        "& set(sys.modules))"
    )
    done = run("-c", code, config=config)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def test_importing_the_app_reads_nothing(tmp_path: Path) -> None:
    assert run("-c", "import workers.tasks", config=tmp_path / "nowhere.toml").returncode == 0


def test_a_worker_with_wrong_settings_does_not_start(tmp_path: Path) -> None:
    path = write_tiny_shop(tmp_path, "acme", store="embedded", broker=CLOSED)
    done = run("-m", "celery", "-A", "workers", "worker", config=path)
    assert done.returncode == 3
    assert (
        done.stderr
        == f'workers: {path}: store.url = "embedded" is for one machine; name a server\n'
    )


def test_a_worker_that_would_take_pickle_does_not_start(config: Path) -> None:
    code = (
        "from workers.celery import app\n"
        "app.conf.accept_content = ['json', 'pickle']\n"
        "app.worker_main(['worker', '--pool', 'solo'])"
    )
    done = run("-c", code, config=config)
    assert done.returncode == 3
    assert done.stderr.startswith("workers: accept_content = ['json', 'pickle']")
    assert done.stderr.count("\n") == 1


BROKER = f"redis://:{PASSWORD}@127.0.0.1:1/0"


@pytest.mark.parametrize("shop", ["acme", "beta-2"])
def test_every_file_is_a_shop(tmp_path: Path, shop: str) -> None:
    paths = [
        write_tiny_shop(tmp_path, name, store=CLOSED, broker=BROKER) for name in ("acme", "beta-2")
    ]
    shops = read_shops(paths)
    assert shops.broker_url == BROKER
    assert shops.file(shop) == tmp_path / shop / "recommender.toml"


def test_two_brokers_are_named_without_their_passwords(tmp_path: Path) -> None:
    paths = [
        write_tiny_shop(tmp_path, "acme", store=CLOSED, broker=BROKER),
        write_tiny_shop(tmp_path, "beta", store=CLOSED, broker=BROKER.replace(":1/", ":2/")),
    ]
    with pytest.raises(ConfigError, match=r"acme: .*:1/0, beta: .*:2/0.*one broker") as caught:
        read_shops(paths)
    assert PASSWORD not in str(caught.value)


def test_two_files_of_one_shop_are_refused(tmp_path: Path) -> None:
    paths = [
        write_tiny_shop(tmp_path / folder, "acme", store=CLOSED, broker=BROKER) for folder in "ab"
    ]
    with pytest.raises(ConfigError, match=r"shop acme: set in .*a/acme.* and in .*b/acme"):
        read_shops(paths)


@pytest.mark.parametrize(
    ("store", "broker", "message"),
    [
        ("embedded", BROKER, "name a server"),
        (CLOSED, "", r"broker\.url = ''"),
        (CLOSED, "localhost", r"broker\.url = 'localhost'"),
        (CLOSED, "memory://", r"broker\.url = 'memory://'"),
        (CLOSED, "os:system://x", r"broker\.url"),
        (CLOSED, "sqla+sqlite:///x", r"redis://, rediss://, amqp://, amqps://"),
    ],
)
def test_workers_need_servers(tmp_path: Path, store: str, broker: str, message: str) -> None:
    path = write_tiny_shop(tmp_path, "acme", store=store, broker=broker)
    with pytest.raises(ConfigError, match=message) as caught:
        read_shops([path])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shop", ["", "beta", "../../etc/passwd", 7, None, ["acme"], "a" * 5000])
def test_only_configured_shops_have_a_file(tmp_path: Path, shop: object) -> None:
    shops = read_shops([write_tiny_shop(tmp_path, "acme", store=CLOSED, broker=BROKER)])
    with pytest.raises(ConfigError) as caught:
        shops.file(shop)
    assert len(str(caught.value)) < 120


def test_settings_files_of_the_environment(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(settings_of("other", store=CLOSED, broker=BROKER))
    monkeypatch.setenv("RECOMMENDER_CONFIG", f"{config}:{other}")
    assert find_files() == [config, other]
    monkeypatch.setenv("RECOMMENDER_CONFIG", f"{config}:nowhere.toml")
    with pytest.raises(ConfigError, match=r"no settings file 'nowhere\.toml'"):
        find_files()
    monkeypatch.delenv("RECOMMENDER_CONFIG")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no settings"):
        find_files()
    other.rename("recommender.toml")
    assert find_files() == [Path("recommender.toml")]


def test_broker_password_is_masked(tmp_path: Path) -> None:
    path = write_tiny_shop(tmp_path, "acme", store=CLOSED, broker=BROKER)
    plain = load(path).plain()
    assert plain["broker"] == {"url": "redis://***@127.0.0.1:1/0"}
    assert PASSWORD not in str(plain)
