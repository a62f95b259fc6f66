"""Whether inputs are there, on this machine or elsewhere."""

from pathlib import Path

import pytest

from recommender.insights.presence import examine_presence
from recommender.readers.fetching import Copies
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionSource


def test_every_input_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text("x")
    url = f"file://{tmp_path / 'c.csv'}"
    events = [
        InteractionSource(url),
        InteractionSource(f"file://{tmp_path}/none.csv"),
        InteractionSource(url="sqlite://", query="select 1 as item_id"),
        InteractionSource(url="sqlite://", query="select * from orders"),
    ]
    source = ShopSource(CatalogueSource("c.csv"), tuple(events), copies=Copies(tmp_path / "i"))
    found = list(examine_presence(source))
    assert [one.verdict for one in found] == ["ok", "ok", "fault", "ok", "fault"]
    assert f"{url}: copied (0.0 KiB)" in found[1].detail
    assert "no such file" in found[2].detail
    assert "interactions.2.query: copied" in found[3].detail
    assert "no such table: orders" in found[4].detail
