from pathlib import Path

import pytest

from recommender.errors import ConfigError
from recommender.serving.lookup_settings import LookupSettings


@pytest.mark.parametrize(
    ("deadline_s", "name", "message"),
    [(0.0, "web", "deadline 0.0"), (float("inf"), "web", "deadline inf"), (1.0, "a b", "'a b'")],
)
def test_what_settings_may_not_be(deadline_s: float, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LookupSettings("redis://localhost", "acme", deadline_s, 10, None, name)


def test_a_snapshot_that_cannot_be_read_is_done_without(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(b"no snapshot")
    settings = LookupSettings("redis://localhost", "acme", 1.0, 10, path, "web")
    assert settings.core().stats()["cached_items"] == 0
