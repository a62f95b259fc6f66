"""Where each setting in force came from, with secrets masked."""

from pathlib import Path

import pytest

from recommender.settings.loading import load
from recommender.settings.origins import settings_in_force


def test_settings_have_their_origin_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "recommender.toml"
    path.write_text(
        'shop = "acme"\n[store]\nurl = "redis://:hunter2@redis.internal/0"\nlease_s = 30.0\n'
    )
    monkeypatch.setenv("RECOMMENDER_TEXT_API__KEY", "hunter2hunter2")
    monkeypatch.setenv("RECOMMENDER_GATES__OVERLAP_MIN", "0.2")
    found = {one.name: one for one in settings_in_force(load(path, ["limits.retention_days=7"]))}
    origins = {
        name: found[name].origin
        for name in ("shop", "store.url", "store.lease_s", "text_api.key", "gates.overlap_min")
    }
    assert origins == {
        "shop": "given",
        "store.url": "given",
        "store.lease_s": "default",
        "text_api.key": "environment",
        "gates.overlap_min": "environment",
    }
    assert (found["limits.retention_days"].origin, found["limits.retention_days"].value) == (
        "given",
        "7",
    )
    assert not [one for one in found.values() if "hunter2" in one.value]
