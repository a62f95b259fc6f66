"""Doctor on set-ups that are broken in ten ways: it names each cause, and what to do."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from recommender.cli.main import run

PRODUCTS = "sku,name\n" + "".join(f"P{n},Chef knife number {n}\n" for n in range(40))
ORDERS = "order_id,time,user,sku,qty,kind,status\n" + "".join(
    f"{n // 2},2026-01-{1 + n % 28:02d},u{n % 9},P{n % 40},1,purchase,paid\n" for n in range(200)
)
SETTINGS = """
shop = "acme"
[catalogue]
path = "products.csv"
columns = { item = "sku", title = "name" }
[interactions]
path = "orders.csv"
columns = { item = "sku", user = "user", quantity = "qty", kind = "kind" }
[recipe]
content.text = { use = "hashing", dimensions = 64 }
"""


def findings(folder: Path, capsys: pytest.CaptureFixture[str], code: int, *options: str) -> str:
    """What doctor prints that is not ok, in one line."""
    capsys.readouterr()
    config = folder / "recommender.toml"
    sets = [part for option in options for part in ("--set", option)]
    assert run(["doctor", "--config", str(config), *sets]) == code
    kept, wrong = False, []
    for line in capsys.readouterr().out.splitlines():
        if line[:8].strip():
            kept = line.startswith(("warning", "fault"))
        wrong += [line] if kept else []
    return " ".join(" ".join(wrong).split())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)  # doctor warns where it is a wrong one
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "recommender.toml").write_text(SETTINGS)
    return tmp_path


def test_a_set_up_that_is_well(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert findings(shop, capsys, 0) == ""


def test_a_wrong_delimiter(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "orders.csv").write_text(ORDERS.replace(",", ";"))
    found = findings(shop, capsys, 3)
    assert "the header is one column" in found
    assert "set delimiter = ';'" in found


def test_a_wrong_column(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(
        shop, capsys, 3, "catalogue.columns.title=nam", "interactions.columns.user=usr"
    )
    assert "no column 'nam' (catalogue.columns.title); did you mean 'name'?" in found
    assert "no column 'usr'" in found, "of both files at once"


def test_ids_that_do_not_join(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "products.csv").write_text(PRODUCTS.replace("P", ""))
    (shop / "orders.csv").write_text(
        ORDERS.replace(",P", ",").replace(",1,purchase", ".0,1,purchase")
    )
    found = findings(shop, capsys, 3)
    assert "0 of 200 events" in found
    assert "set interactions.ids = { strip_suffix = '.0' }" in found


def test_an_order_of_the_future(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "orders.csv").write_text(ORDERS + "900,2099-01-01,u1,P1,1,purchase,paid\n")
    found = findings(shop, capsys, 0)
    assert "1 events are dated after all others" in found
    assert "set limits.as_of" in found
    (shop / "orders.csv").write_text(ORDERS.replace("2026-01", "2099-01"))
    assert "200 events are dated in the future" in findings(shop, capsys, 0)


def test_kinds_without_a_weight(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "orders.csv").write_text(ORDERS.replace("purchase", "sold"))
    found = findings(shop, capsys, 3)
    assert "kinds are sold (200), and interactions.weights has purchase" in found
    assert 'set interactions.weights = { "sold" = 1.0 }' in found
    (shop / "orders.csv").write_text(ORDERS.replace("purchase", "view", 150))
    found = findings(shop, capsys, 0)
    assert "without a weight, and left out: view (150); with one: purchase" in found
    assert 'interactions.weights, such as { "view" = 1.0 }' in found


def test_titles_that_the_text_model_does_not_know(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "products.csv").write_text(PRODUCTS.replace("Chef knife number", "包丁とまな板"))
    found = findings(shop, capsys, 0, 'recipe.content.text={use="sentence-transformers"}')
    assert "all-MiniLM-L6-v2 knows English alone" in found
    assert "paraphrase-multilingual-MiniLM-L12-v2" in found
    assert findings(shop, capsys, 0) == "", "hashing knows no language"


def test_cancelled_orders_that_count(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "orders.csv").write_text(ORDERS.replace("paid", "refunded", 9))
    found = findings(shop, capsys, 0)
    assert "column 'status' has 'refunded' (9), and these orders count as purchases" in found
    assert 'set cancelled = { column = "status", pattern = "refunded" } in [interactions]' in found
    cancelled = 'interactions.cancelled={column="stats", pattern="refunded"}'
    assert "did you mean 'status'?" in findings(shop, capsys, 3, cancelled)


def test_a_wrong_store(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(shop, capsys, 7, "store.url=redis://127.0.0.1:1")
    assert "redis://127.0.0.1:1" in found
    assert "start the server or correct the url" in found


def test_a_wrong_model(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = 'recipe.content.text={use="sentence-transformers", model="./no-such-model"}'
    found = findings(shop, capsys, 3, model)
    assert found.startswith("fault text model")
    assert "no-such-model" in found


def test_no_space(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10 * 1024**2))
    found = findings(shop, capsys, 3)
    assert "10 MiB free. Run recommender gc, or set state.folder" in found
