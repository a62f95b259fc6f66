import pytest

from recommender.readers.values import truth_values
from tests.readers.shop_folder import Folder, sold


@pytest.mark.parametrize(
    ("no", "yes"),
    [
        ("Currently unavailable", "Only 3 left in stock"),
        ("TEMPORARILY_OUT_OF_STOCK", "AVAILABLE"),
        ("0", ">10"),
        ("0 Stück", "5 Stück"),
        ("vergriffen", "sofort lieferbar"),
        ("brak", "dostępny"),
        ("vyprodáno", "skladem"),
        ("slut i lager", "i lager"),
        ("在庫なし", "在庫あり"),
        ("none", "low"),
        ("0,00", "10+"),
    ],
)
def test_words_for_stock(no: str, yes: str) -> None:
    values, faults = truth_values([no, yes], "in_stock")
    assert faults == ["", ""]
    assert values.tolist() == [False, True]


@pytest.mark.parametrize(
    ("column", "hidden", "shown"),
    [
        ("online_status", "offline", "online"),
        ("sichtbar", "nein", "ja"),
        ("lifecycle_status", "EOL", "ACTIVE"),
        ("is_hidden", "1", "0"),
        ("disabled", "true", "false"),
        ("discontinued_date", "2024-01-01", ""),
        ("published_at", "", "2024-01-01T00:00:00Z"),
        ("state", "DRAFT", "PUBLISHED"),
        ("sellable", "N", "Y"),
        ("status", "inaktiv", "aktiv"),
        ("Status", "unlisted", "active"),
    ],
)
def test_columns_and_words_that_hide(folder: Folder, column: str, hidden: str, shown: str) -> None:
    folder.put("c.csv", f"item_id,title,{column}\na,A,{hidden}\nb,B,{shown}\n")
    data = folder.read("c.csv")
    assert data.catalogue.for_sale.tolist() == [False, True]
    assert data.report.files[0].noted == {}


@pytest.mark.parametrize(("known", "unknown"), [("1", "2"), ("active", "phase 3")])
def test_a_word_of_a_status_that_nobody_knows_is_noted(
    folder: Folder, known: str, unknown: str
) -> None:
    folder.put("c.csv", f"item_id,title,status\na,A,{known}\nb,B,{unknown}\n")
    report = folder.read("c.csv").report.files[0]
    assert [(each.column, each.value) for each in report.noted_examples] == [("status", unknown)]
    assert "unless catalogue.not_for_sale has it" in next(iter(report.noted))


@pytest.mark.parametrize("column", ["refunded_quantity", "qty_refunded", "Returned quantity"])
def test_what_was_given_back_of_a_row(folder: Folder, column: str) -> None:
    folder.put("o.csv", f"item_id,order_id,qty,{column}\na,1,2,1\nb,1,1,1\nc,1,3,\nd,1,1,0\n")
    data = folder.read(interactions="o.csv")
    assert sold(data) == ["a", "c", "d"]
    assert data.report.files[0].left_out == {"all of it was returned": 1}


def test_guests_of_other_languages_are_no_users(folder: Folder) -> None:
    guests = ("Gast", "unknown", "-", "00000000-0000-0000-0000-000000000000")
    rows = "".join(f"a,{number},{guest}\n" for number, guest in enumerate(guests))
    folder.put("o.csv", f"item_id,order_id,user_id\n{rows}b,9,c1\n")
    data = folder.read(interactions="o.csv")
    assert len(data.interactions.users) == 1
    assert data.report.files[0].noted == {"user is a guest": 4}
