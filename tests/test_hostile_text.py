"""Hostile catalogue text: nothing breaks, and nobody else's vectors change (security row S1)."""

import json
from pathlib import Path

import numpy as np
import pytest

from recommender.cli.main import run
from recommender.core.catalogue import Catalogue, documents
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import read_shop
from recommender.settings.loading import load
from tests.support.builds import make

GOOD = {f"good-{row}": f"enamel kettle no {row}" for row in range(20)}
POISON = [
    "x" * 1_000_000,
    "word " * 200_000,
    "nul \0 byte",
    "\ud800 lone surrogate",
    "👩‍👩‍👧‍👦" * 1000,
    "\u202eright to left\u202c",
    "\x1b[31mred\x1b[0m \x07",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}} ${7*7} %s %n {0}",
    "e" + "\u0301" * 100_000,
    "",
    "   \t \n ",
    "'; DROP TABLE items; --",
    "../../etc/passwd",
    "\r\nFLUSHALL\r\n",
    "&lt;&amp;" * 10_000,
    "<" * 100_000,
    "\uff0a" * 5000,
    "\ufeff\u200b\u2060",
]


def write_catalogue(folder: Path, rows: dict[str, str]) -> Path:
    folder.mkdir()
    lines = [json.dumps({"item_id": item, "title": title}) for item, title in rows.items()]
    (folder / "catalogue.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "recommender.toml"
    path.write_text(
        'shop = "acme"\n[catalogue]\npath = "catalogue.jsonl"\n'
        '[recipe]\ntext = { use = "hashing", dimensions = 64 }\n'
        '[recipe.interactions]\nbehaviour = "co-occurrence-svd"\n'
    )
    return path


def good_vectors(config: Path) -> np.ndarray:
    job = load(config, ["limits.refused_share_max=0.5"]).job()
    make(job)
    shop = Path(job.artifacts.root, job.shop)
    read = job.artifacts.require("read", next((shop / "read").iterdir()).name)
    text = job.artifacts.require("text", next((shop / "text").iterdir()).name)

    columns = {
        name.removeprefix("catalogue."): array
        for name, array in read.columns().items()
        if name.startswith("catalogue.")
    }
    ids = Catalogue.from_columns(columns).ids
    rows = [ids.row(item) for item in GOOD]
    return np.asarray(text.columns("matrix")["matrix"])[rows]


@pytest.mark.fault(32, "S1")
def test_poison_changes_nobody_elses_vectors(tmp_path: Path) -> None:
    poisoned = GOOD | {f"poison-{number}": text for number, text in enumerate(POISON)}
    clean = good_vectors(write_catalogue(tmp_path / "clean", GOOD))
    beside = good_vectors(write_catalogue(tmp_path / "poisoned", poisoned))
    assert (clean == beside).all()


@pytest.mark.fault(32, "S1")
def test_poisoned_catalogue_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poisoned = GOOD | {f"poison-{number}": text for number, text in enumerate(POISON)}
    config = write_catalogue(tmp_path / "shop", poisoned)
    arguments = ["--config", str(config), "--set", "limits.refused_share_max=0.5"]
    assert run(["reindex", *arguments]) == 0
    capsys.readouterr()
    assert run(["related", "good-1", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\0" not in shown


@pytest.mark.fault("S1")
def test_documents_of_poison_are_short_and_plain(tmp_path: Path) -> None:
    poisoned = {f"poison-{number}": text for number, text in enumerate(POISON)}
    config = write_catalogue(tmp_path / "shop", GOOD | poisoned)
    job = load(config, ["limits.refused_share_max=0.5"]).job()

    read = read_shop(
        job.source, HashedUsers(b"k" * 32), quarantine=tmp_path / "q.jsonl", progress=job.progress
    )
    for text in documents(read.catalogue):
        assert len(text) <= 2000
        assert not set(text) & set("\0\x1b\x07\r\n\u202e")
