"""All settings of a shop: renamed settings, secrets, records of runs."""

import json
from pathlib import Path

import pytest
import tomli_w

from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from recommender.settings.loading import load
from recommender.settings.model import RENAMED, Settings, warn_renamed
from tests.support.repository import CONFIG


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log, as if no renamed setting had been used in this process yet."""
    warn_renamed.cache_clear()
    return caplog


PLACEMENT = '[[recipe.placements]]\nname = "related"\n'


def test_a_renamed_setting_is_accepted_with_one_warning(
    file: Path, warned: pytest.LogCaptureFixture
) -> None:
    file.write_text(file.read_text() + PLACEMENT + 'rules = ["in-stock"]\n')
    for _ in range(2):
        assert load(file).recipe.placements[0].filters == (Choice("in-stock"),)
    assert [record.getMessage() for record in warned.records] == [
        "setting recipe.placements.rules is now recipe.placements.filters; "
        "the old name is accepted for one release"
    ]


def test_a_renamed_setting_overrides_the_new_name_of_the_file(
    file: Path, warned: pytest.LogCaptureFixture
) -> None:
    file.write_text(file.read_text() + PLACEMENT + 'filters = ["in-stock"]\n')
    given = load(file, ["recipe.placements.0.rules=['one-per-group']"])
    assert given.recipe.placements[0].filters == (Choice("one-per-group"),)
    inside = load(file, ["recipe.placements=[{name='related', rules=[]}]"])
    assert inside.recipe.placements[0].filters == ()
    assert len(warned.records) == 1


def test_a_renamed_setting_in_a_recipe_file_and_in_a_record(
    file: Path, warned: pytest.LogCaptureFixture
) -> None:
    (file.parent / "mine.toml").write_text('[[placements]]\nname = "related"\nrules = []\n')
    loaded = load(file, ["recipe=mine.toml"])
    assert loaded.recipe.placements[0].filters == ()
    warn_renamed.cache_clear()
    record = loaded.plain()
    (placement,) = record["recipe"]["placements"]
    placement["rules"] = placement.pop("filters")
    assert loaded.frozen_as(record).recipe == loaded.recipe
    assert len(warned.records) == 1


def test_a_setting_may_move_to_another_table(
    file: Path, warned: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RENAMED, "store.shard_items", "limits.shard_items")
    monkeypatch.setenv("RECOMMENDER_STORE__SHARD_ITEMS", "7")
    assert load(file).limits.shard_items == 7
    monkeypatch.delenv("RECOMMENDER_STORE__SHARD_ITEMS")
    file.write_text(file.read_text() + "[store]\nshard_items = 8\n")
    assert load(file).limits.shard_items == 8
    assert len(warned.records) == 1


@pytest.mark.fault("S14")
def test_secrets_are_masked(file: Path) -> None:
    loaded = load(
        file, ["state.user_key=S3CR3T-xyz-0123456789", "store.url=redis://:S3CR3T-xyz@localhost/0"]
    )
    assert "S3CR3T-xyz" not in tomli_w.dumps(loaded.plain())
    assert "S3CR3T-xyz" not in repr(loaded.state)
    assert loaded.job().user_key == b"S3CR3T-xyz-0123456789"


def test_printed_settings_load_again(file: Path) -> None:
    loaded = load(file)
    printed = file.with_name("printed.toml")
    printed.write_text(tomli_w.dumps(loaded.plain()))
    again = load(printed)
    assert again.recipe.recipe().digest == loaded.recipe.recipe().digest
    assert again.interactions == loaded.interactions
    assert again.catalogue == loaded.catalogue


@pytest.mark.parametrize("path", sorted((CONFIG / "examples").glob("*.toml")), ids=lambda p: p.stem)
def test_settings_can_be_recorded(path: Path) -> None:
    assert json.loads(json.dumps(load(path).plain()))["shop"]


def test_user_key_is_made_once_and_private(file: Path) -> None:
    first = load(file).job().user_key
    assert load(file).job().user_key == first
    assert len(first) == 64
    path = file.parent / ".recommender" / "user_key"
    assert path.stat().st_mode & 0o777 == 0o600


def test_artifacts_behind_a_url(file: Path) -> None:
    key = "artifacts.signing_key=0123456789abcdef"
    loaded = load(file, ["artifacts.url=s3://bucket/x", key])
    assert loaded.artifact_store().root == "s3://bucket/x"
    assert loaded.artifact_store().signing_key == b"0123456789abcdef"
    assert "0123456789abcdef" not in str(loaded.plain())
    with pytest.raises(ConfigError, match=r"signing_key: give 16 to 64 bytes"):
        load(file, ["artifacts.signing_key=short"])


def test_settings_never_change(file: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(file).shop = "other"
    assert isinstance(load(file), Settings)


def test_frozen_settings_of_a_run(file: Path) -> None:
    secret = "state.user_key=S3CR3T-0123456789"
    began = load(file, [secret, "gates.overlap_min=0.3", "evaluation.test_from=2011-11-09"])
    record = json.loads(json.dumps(began.plain()))
    assert "S3CR3T" not in str(record)
    elsewhere = load(file, ["state.folder=/other", "state.user_key=other-0123456789"])
    frozen = elsewhere.frozen_as(record)
    assert frozen.gates == began.gates
    assert frozen.recipe.recipe() == began.recipe.recipe()
    assert frozen.source() == began.source()
    assert frozen.evaluation == began.evaluation
    assert frozen.state == elsewhere.state
    with pytest.raises(ConfigError, match="of another version"):
        elsewhere.frozen_as(record | {"news": 1})


def test_frozen_settings_have_the_urls_of_this_machine(file: Path) -> None:
    url = "postgresql+psycopg://shop:S3CR3T-xyz@db/shop"
    source = [f"catalogue.url={url}", "catalogue.query=select 1"]
    paths = ["interactions.path=['https://u:S3CR3T-abc@host/a.csv', 'b.csv']"]
    began = load(file, [*source, *paths])
    record = json.loads(json.dumps(began.plain()))
    assert record["catalogue"]["url"] == "postgresql+psycopg://***@db/shop"
    assert "S3CR3T" not in json.dumps(record)
    rotated = load(file, [each.replace("S3CR3T-xyz", "S3CR3T-new") for each in [*source, *paths]])
    frozen = rotated.frozen_as(record)
    assert frozen.catalogue.url == url.replace("S3CR3T-xyz", "S3CR3T-new")
    assert frozen.interactions[0].path == began.interactions[0].path


@pytest.mark.fault("S13", "S14")
def test_a_run_record_leads_no_key_elsewhere(tmp_path: Path) -> None:
    config = tmp_path / "recommender.toml"
    config.write_text('shop = "acme"\n[text_api]\nkey = "sk-S3CR3T"\n')
    settings = load(config)
    record = settings.plain()
    assert record["text_api"]["key"] == "***"
    record["text_api"]["url"] = "https://elsewhere.example/v1"
    api = settings.frozen_as(record).text_api.text_api()
    assert (api.url, api.key) == ("https://api.openai.com/v1", "sk-S3CR3T")
    assert "S3CR3T" not in repr(settings) + repr(api)
