from pathlib import Path

import pytest

from recommender.service.metrics import ServiceMetrics
from recommender.serving.filter_counts import Filtered
from tests.cli.shop import said


def test_a_proposal_can_be_pasted_into_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, file = tmp_path / "shop.toml", tmp_path / "metrics.txt"
    config.write_text('shop = "acme"\n[interactions]\npath = "orders.csv"\n')
    counts = {name: 200 * n for name, n in Filtered("related", 40, 32, short=True).counts().items()}
    file.write_bytes(ServiceMetrics({"acme": lambda: counts}).exposition())
    text = said(["depth", str(file), "--config", str(config)], capsys)
    assert text.endswith(
        "[placements.related]\ndepth = 60\nnext: 0 answers under a condition; 100 are needed\n"
    )
    config.write_text(config.read_text() + "[placements.related]\ndepth = 60\n")
    found = said(["depth", str(file), "--json", "--config", str(config)], capsys)
    assert '"depth": 60' in found
    assert '"proposed": 60' in found
