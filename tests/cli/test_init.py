"""From the files of a platform to lists on the screen, without an editor."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from recommender.cli import init
from recommender.cli.main import run
from recommender.insights.input_checks import read_sample
from recommender.settings.loading import load
from tests.cli.shop import failed, said

KITCHEN = ("knife", "board", "wok", "pan")
GARDEN = ("spade", "rake", "hose", "glove")
RECIPE = """{content = {text = {use = "hashing", dimensions = 64}}, interactions = {behaviour = \
{use = "co-occurrence-svd", dimensions = 16}}, placements = [{name = "related", fusion = "gated", \
candidates = ["nearest"], ranker = "identity"}]}"""
"""One that needs no model."""
OTHERS = {"knife", "board", "pan"}
NUMBERS = {name: f"40{place}" for place, name in enumerate((*KITCHEN, *GARDEN))}
BASKETS = [
    (number, [theme[(number // 2 + step) % 4] for step in range(3)])
    for number in range(1, 61)
    for theme in [KITCHEN if number % 2 else GARDEN]
]
"""Orders of three items of one theme; every tenth is cancelled."""


def table(header: str, lines: list[str]) -> str:
    return header + "\n" + "\n".join(lines) + "\n"


def moment(number: int) -> str:
    return f"2026-0{1 + number // 28}-{1 + number % 28:02d}"


def write_shopify(folder: Path) -> None:
    products = "Handle,Title,Body (HTML),Vendor,Type,Published,Variant SKU,Variant Price,Status"
    rows = []
    for name in (*KITCHEN, *GARDEN):
        rows += [f"{name},The {name},<p>A {name}.</p>,Hearth,Tools,true,{name}-S,6.37,active"]
        rows += [f"{name},,,,,,{name}-M,7.37,", f"{name},,,,,,,,"]
    (folder / "products_export.csv").write_text(table(products, rows))
    orders = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem sku"
    lines = []
    for number, items in BASKETS:
        for line, name in enumerate(items):
            status = "" if line else "refunded" if number % 10 == 0 else "paid"
            lines += [
                f"#{number},c{number % 9}@example.invalid,{status},{moment(number)} 18:00:00 +0100,"
                f"1,The {name} - S,{name}-S"
            ]
    (folder / "orders_export.csv").write_text(table(orders, lines))


def write_woocommerce(folder: Path) -> None:
    products = (
        "ID,Type,SKU,Name,Published,Visibility in catalog,In stock?,Regular price,Categories,Parent"
    )
    rows = []
    for number, name in enumerate((*KITCHEN, *GARDEN)):
        rows += [f'{number}1,variable,{name},The {name},1,visible,1,,"Home > Tools, Sale",']
        rows += [f"{number}2,variation,{name}-S,The {name} - S,1,visible,1,6.37,,{name}"]
    (folder / "wc-product-export.csv").write_text(table(products, rows))
    orders = [
        {
            "id": number,
            "number": str(number),
            "status": "cancelled" if number % 10 == 0 else "completed",
            "date_created": f"{moment(number)}T18:00:00",
            "customer_id": number % 9,
            "line_items": [{"sku": f"{name}-S", "name": name, "quantity": 1} for name in items],
        }
        for number, items in BASKETS
    ]
    (folder / "orders.json").write_text(json.dumps(orders))


def write_magento(folder: Path) -> None:
    products = (
        "sku,store_view_code,attribute_set_code,product_type,categories,name,product_online,"
        "visibility,price,is_in_stock,configurable_variations"
    )
    rows = []
    for name in (*KITCHEN, *GARDEN):
        rows += [
            f'{name}-S,,D,simple,"Home/Tools,Sale",{name}-S,1,Not Visible Individually,6.37,1,'
        ]
        rows += [
            f'{name},,D,configurable,"Home/Tools,Sale",The {name},1,"Catalog, Search",,1,s={name}-S'
        ]
        rows += [f"{name},de,D,configurable,,Das {name},,,,,"]
    (folder / "export_catalog_product.csv").write_text(table(products, rows))
    orders = "increment_id,created_at,customer_id,sku,qty_ordered,status"
    lines = [
        f"{number},{moment(number)} 18:00:00,{number % 9 or 'NULL'},{name}-S,1.0000,"
        f"{'canceled' if number % 10 == 0 else 'complete'}"
        for number, items in BASKETS
        for name in items
    ]
    (folder / "orders.csv").write_text(table(orders, lines))


def write_ga4(folder: Path) -> None:
    events = [
        {
            "event_timestamp": str(1767290400000000 + number * 86_400_000_000),
            "event_name": name,
            "user_pseudo_id": f"u{number % 9}",
            "event_params": [{"key": "ga_session_id", "value": {"int_value": "1"}}],
            "ecommerce": {"transaction_id": str(number) if name == "purchase" else None},
            "items": [{"item_id": each, "item_name": f"The {each}"} for each in items],
        }
        for number, items in BASKETS
        for name in ("view_item", "purchase", "page_view")
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))


def write_google_merchant(folder: Path) -> None:
    items = "".join(
        f"<item><g:id>{NUMBERS[name]}</g:id><title>The {name}</title><g:availability>in stock"
        f"</g:availability><g:price>6.37 EUR</g:price><g:product_type>Tools</g:product_type></item>"
        for name in (*KITCHEN, *GARDEN)
    )
    (folder / "feed.xml").write_text(
        f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}</channel></rss>'
    )
    lines = [
        f"{number};{moment(number)};c{number % 9};{NUMBERS[name]}.0;1"
        for number, items in BASKETS
        for name in items
    ]
    (folder / "orders.csv").write_text(table("Order No;Date;Customer ID;Article No;Qty", lines))


@pytest.mark.parametrize(
    ("write", "presets", "item", "related"),
    [
        (write_shopify, ("shopify", "shopify"), "wok-S", OTHERS),
        (write_woocommerce, ("woocommerce", "woocommerce"), "wok-S", OTHERS),
        (write_magento, ("magento", "magento"), "wok", OTHERS),
        (write_ga4, ("", "ga4"), "wok", OTHERS),
        (write_google_merchant, ("google-merchant", ""), NUMBERS["wok"], {"400", "401", "403"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_init_reindex_related(
    write: object,
    presets: tuple[str, str],
    item: str,
    related: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(write)
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    told = said(["init", "--yes"], capsys)
    for preset in filter(None, presets):
        assert f"preset {preset}" in told
    assert "The first events as they are read" in told
    text = (tmp_path / "recommender.toml").read_text()
    assert [text.count(f'preset = "{each}"') for each in dict.fromkeys(filter(None, presets))]
    capsys.readouterr()
    assert run(["reindex", "--set", f"recipe={RECIPE}"]) == 0
    answer = json.loads(said(["related", item, "--json"], capsys))
    first = [each["id"].partition("-")[0] for each in answer["items"][:3]]
    assert set(first) == related


def test_a_settings_file_is_not_replaced_without_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ga4(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recommender.toml").write_text("# mine")
    assert "--force" in failed(capsys, ["init", "--yes"], 3)
    assert (tmp_path / "recommender.toml").read_text() == "# mine"
    said(["init", "--yes", "--force"], capsys)
    assert load(tmp_path / "recommender.toml").interactions[0].columns.item.startswith("items[]")


def test_without_a_terminal_nothing_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ga4(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "--yes" in failed(capsys, ["init"], 2)
    assert not (tmp_path / "recommender.toml").exists()


def test_an_empty_folder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no file of a known format" in failed(capsys, ["init", "--yes"], 3)


class Terminal:
    """Answers from a terminal, one a question."""

    def __init__(self, *answers: str) -> None:
        self.answers = [f"{answer}\n" for answer in answers]

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self.answers.pop(0)


def test_in_a_terminal_the_proposal_can_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_google_merchant(tmp_path)
    monkeypatch.chdir(tmp_path)
    answers = Terminal("catalogue.columns.title = none", "catalogue.columns.title = id", "..=1", "")
    monkeypatch.setattr("sys.stdin", answers)
    told = said(["init", "feed.xml", "orders.csv"], capsys)
    assert answers.answers == []
    assert "no column 'none'" in told
    assert "is not a setting" in told
    settings = load(tmp_path / "recommender.toml")
    assert settings.catalogue.columns.title == "id"
    assert settings.interactions[0].ids.strip_suffix == ".0"


def test_files_elsewhere_are_named_from_the_folder_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_ga4(tmp_path)
    (tmp_path / "settings").mkdir()
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "settings" / "shop.toml"
    said(["init", "events.jsonl", "--yes", "--config", str(config)], capsys)
    assert load(config).interactions[0].path == str(tmp_path / "events.jsonl")


def test_settings_that_do_not_read_the_files_are_written_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{n},soon{n},P1" for n in range(9)]
    (tmp_path / "orders.csv").write_text(table("order_id,time,sku", lines))
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--yes"]) == 4
    assert "These settings do not read the files" in capsys.readouterr().out
    assert load(tmp_path / "recommender.toml").interactions[0].columns.item == "sku"


def test_titles_that_the_default_model_does_not_know_are_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "products.csv").write_text("sku,name\nP1,包丁\nP2,鍋\n")
    (tmp_path / "orders.csv").write_text("order_id,sku\n1,P1\n1,P2\n")
    monkeypatch.chdir(tmp_path)
    said(["init", "--yes"], capsys)
    assert load(tmp_path / "recommender.toml").recipe.content["text"].use == "hashing"
    assert init.FOREIGN in (tmp_path / "recommender.toml").read_text()


PRODUCTS = table("sku,name,price", [f"{name},The {name},6.37" for name in (*KITCHEN, *GARDEN)])
HEADER = "order_id,created_at,customer_id,sku,quantity"
LINES = [
    f"{number},{moment(number)},c{number % 9},{name},1"
    for number, items in BASKETS
    for name in items
]
ORDERS = table(HEADER, LINES)


def nested(number: int, items: list[str]) -> dict[str, object]:
    """An order as a document store has it."""
    return {
        "_id": {"$oid": f"{number:024x}"},
        "createdAt": {"$date": f"{moment(number)}T18:00:00Z"},
        "customer": {"id": f"c{number % 9}"},
        "lineItems": [{"variant": {"sku": name}, "quantity": 1} for name in items],
    }


GERMAN = ORDERS.replace(",", ";").replace(
    HEADER.replace(",", ";"), "Bestellnummer;Bestelldatum;Kundennummer;Artikelnummer;Menge"
)
CANCELLED = table(
    f"{HEADER},cancelled_at",
    [f"{line},{'2026-02-01' if '0,2026' in line else ''}" for line in LINES],
)


@pytest.mark.parametrize(
    ("name", "content", "baskets"),
    [
        ("orders.csv", "Sales report\nby admin\n\n" + ORDERS, 60),
        ("orders.csv", "Order,,Customer,Line,\n" + ORDERS, 60),
        ("orders.csv", ORDERS.replace(",", "~"), 60),
        ("orders.csv", GERMAN, 60),
        ("orders.csv", ORDERS.replace("order_id", "increment_id"), 60),
        ("orders.csv", CANCELLED, 54),
        ("orders.json", "\n".join(json.dumps(nested(*each)) for each in BASKETS), 60),
    ],
    ids=["preamble", "two-headers", "tilde", "german", "increment", "cancelled-at", "documents"],
)
def test_orders_of_other_layouts(
    name: str,
    content: str,
    baskets: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    assert "The join" in said(["init", "--yes"], capsys)
    source = load(tmp_path / "recommender.toml").source()
    data = read_sample(source, tmp_path / "quarantine.jsonl")
    assert len(set(data.interactions.basket.tolist()) - {-1}) == baskets
    assert data.report.joins[0].joined_ids == 8


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("orders.csv", "<html><body>Please log in</body></html>\n", "no file was recognised as"),
        ("orders.csv", ORDERS.replace("2026-", "soon "), "time is not an ISO 8601 time"),
        ("orders.csv", ORDERS.replace(",wok", ",9").replace(",pan", ",8"), ""),
    ],
    ids=["html", "times", "two-ids"],
)
def test_what_leads_to_no_right_lists_is_told(
    name: str,
    content: str,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--yes"]) == (4 if told else 0)
    shown = capsys.readouterr().out
    assert re.search(told, shown)
    assert ("These settings do not read the files" in shown) == bool(told)


def test_a_zip_file_with_several_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    with zipfile.ZipFile(tmp_path / "orders.zip", "w") as archive:
        for part in ("january.csv", "february.csv"):
            archive.writestr(part, ORDERS)
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--yes"]) == 4
    assert "Not read: orders.zip: orders.zip: has 2 files" in capsys.readouterr().out


def test_ids_that_meet_nowhere_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "products.csv").write_text(re.sub(r"(?m)^(\w+),The", r"X-\1-7,The", PRODUCTS))
    (tmp_path / "orders.csv").write_text(ORDERS)
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--yes"]) == 4
    assert "interactions does not fit the catalogue: 0 of 180 events" in capsys.readouterr().out


def test_a_list_of_variants_is_a_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    products = [
        {
            "id": number,
            "title": f"The {name}",
            "status": "draft" if name == "pan" else "active",
            "variants": [{"id": number + 90, "sku": name, "price": "6.37"}],
        }
        for number, name in enumerate((*KITCHEN, *GARDEN), start=1)
    ]
    (tmp_path / "products.json").write_text(json.dumps({"products": products}))
    (tmp_path / "orders.csv").write_text(ORDERS)
    monkeypatch.chdir(tmp_path)
    said(["init", "--yes"], capsys)
    source = load(tmp_path / "recommender.toml").source()
    data = read_sample(source, tmp_path / "quarantine.jsonl")
    assert not data.catalogue.for_sale[data.catalogue.ids.ids.index("pan")]
    assert data.catalogue.price.tolist() == pytest.approx([6.37] * 8)
