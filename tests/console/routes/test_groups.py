"""The map of the groups of items."""

import pytest
from starlette.testclient import TestClient

from recommender.console.routes.groups import Label, _overlap
from tests.console.conftest import settled

GROUPS = "/console/acme/quality/groups"


def test_groups_are_drawn_and_lead_to_their_items(client: TestClient) -> None:
    page = settled(client, GROUPS)
    assert page.count("<circle class") >= 20
    assert "item?id=%3Cscript%3E" in page
    assert client.get(f"{GROUPS}?group=0").text.count('<li class="card') >= 1
    assert client.get(f"{GROUPS}?group=99999").status_code == 404


@pytest.mark.parametrize(("x", "y", "overlap"), [(10.0, 5.0, True), (10.0, 40.0, False)])
def test_names_do_not_lie_on_each_other(x: float, y: float, overlap: bool) -> None:
    assert _overlap(Label(0, "chairs", 0, 0), Label(1, "tables", x, y)) == overlap
