"""`recommender store`, `doctor` and `config` as people use them."""

import subprocess
import sys
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.insights import encoding_paths
from recommender.insights.encoding_paths import EncodingPath, Fidelity
from recommender.publishing.embedded import Embedded
from recommender.serving.connection import open_store
from tests.cli.shop import failed, related


def test_embedded_store_is_kept_up_on_request(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(live)]
    failed(capsys, ["store", "url", *where], 7)
    assert run(["store", "start", *where]) == 0
    try:
        url = capsys.readouterr().out.strip()
        assert url.startswith("unix://")
        assert run(["store", "url", *where]) == 0
        assert capsys.readouterr().out.strip() == url
        code = (
            "from recommender.serving.lookup import RelatedItems\n"
            f"print(RelatedItems({url!r}, 'acme', deadline_s=2).get('a').status)"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert shown.stdout.strip() == "ok"
    finally:
        assert run(["store", "stop", *where]) == 0
    failed(capsys, ["store", "url", *where], 7)
    assert related(live, "a", capsys)["generation"] == 1
    failed(capsys, ["store", "start", *where, "--set", "store.url=redis://h"], 3)


def test_doctor(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["doctor", "--config", str(live)]) == 0
    assert "fault" not in capsys.readouterr().out
    (live.parent / "orders.csv").unlink()
    assert run(["doctor", "--config", str(live)]) == 3
    assert "orders.csv does not exist" in " ".join(capsys.readouterr().out.split())
    assert run(["doctor", "--config", str(live), "--set", "store.url=redis://127.0.0.1:1"]) == 7


def test_doctor_proposes_the_fastest_way_to_encode(
    live: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(_choice: object, texts: list[str]) -> list[EncodingPath]:
        assert len(texts) == 1000
        return [
            EncodingPath({"precision": "fp32"}, 100.0, Fidelity(1.0, 1.0, 1.0)),
            EncodingPath({"precision": "bf16"}, 300.0, Fidelity(0.9999, 0.9998, 0.99)),
        ]

    monkeypatch.setattr(encoding_paths, "measured", measured)
    text = ["--set", "recipe.content.text=sentence-transformers"]
    assert run(["doctor", "--speed", "--config", str(live), *text]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "bf16: 300 short texts a second, cosine with fp32 0.99990 (least 0.99980)" in told
    assert 'recipe.content.text = { precision = "bf16" }' in told


@pytest.mark.fault(12)
def test_doctor_finds_lists_that_somebody_deleted(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = live.parent / ".recommender"
    with Embedded(state).attach() as url, open_store(url) as store:
        names = [*store.scan_iter(match="rec:*:related:?*")]
        store.unlink(names[0])
        assert run(["doctor", "--config", str(live)]) == 3
        assert f"has {len(names)} of its" in " ".join(capsys.readouterr().out.split())
        assert run(["reindex", "--force", "--config", str(live)]) == 0
        assert run(["doctor", "--config", str(live)]) == 0


def test_config_prints_what_is_in_force(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["config", "--config", str(live), "--set", "gates.items_share_min=0.25"]) == 0
    assert "items_share_min = 0.25" in capsys.readouterr().out
