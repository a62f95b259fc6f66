"""The settings file of a shop."""

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text('shop = "acme"\n[interactions]\npath = "orders.csv"\n')
    return path
