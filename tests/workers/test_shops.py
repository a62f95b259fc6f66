from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.settings.loading import find_files, load
from tests.workers.fleet import CLOSED, PASSWORD, settings_of, write_tiny_shop
from workers.shops import read_shops

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
