"""The pages of quality."""

import csv
import io
import re

from starlette.testclient import TestClient

from tests.console.conftest import form_token, settled

QUALITY = "/console/acme/quality"


def test_findings_are_a_work_list_by_kind(client: TestClient) -> None:
    page = settled(client, QUALITY)
    assert "Catalogue and lists to look at" in page
    assert re.search(r'aria-current="page">[a-z-]+ <span class="badge">[1-9]', page)
    assert client.get(f"{QUALITY}?kind=<script>&page=x").status_code == 200


def test_findings_are_exported_without_formulas(client: TestClient) -> None:
    settled(client, QUALITY)
    answer = client.get(f"{QUALITY}/findings.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header[:2] == ["item", "finding"]
    assert rows
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_the_catalogue_is_checked_anew_when_asked(client: TestClient) -> None:
    token = form_token(settled(client, QUALITY))
    assert client.post(QUALITY, data={"csrf": token}).url.path == QUALITY
