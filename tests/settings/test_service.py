from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.settings.loading import load
from recommender.settings.service import ServiceSettings


def test_files_are_relative_to_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "recommender.toml"
    config.write_text(
        'shop = "acme"\n[service]\napi_keys = "keys"\ncert = "c.pem"\nkey = "/k.pem"\n'
    )
    service = load(config).service
    assert (service.api_keys, service.cert) == (str(tmp_path / "keys"), str(tmp_path / "c.pem"))
    assert service.key == "/k.pem"


@pytest.mark.parametrize(
    "given",
    [
        *("processes=0", "connections=0", "requests=0", "requests_per_s=-1", "requests_per_s=inf"),
        *("body_bytes=10", "request_s=0", "write_s=0", "idle_s=0", "drain_s=0", "requsts=1"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, given: str) -> None:
    config = tmp_path / "recommender.toml"
    config.write_text('shop = "acme"\n')
    with pytest.raises(ConfigError, match=rf"service\.{given.partition('=')[0]}"):
        load(config, [f"service.{given}"])


def test_there_are_limits_by_default() -> None:
    service = ServiceSettings()
    assert 0 < service.requests_per_s < 100_000
    assert 0 < service.wrong_keys_per_minute <= 60
