import json
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender import registry
from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from recommender.settings.loading import find_file, load
from recommender.settings.model import RecipeSettings, Settings

REPOSITORY = Path(__file__).parents[2]
CONFIG = REPOSITORY / "config"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text('shop = "acme"\n[interactions]\npath = "orders.csv"\n')
    return path


def test_defaults_are_the_documented_file(tmp_path: Path) -> None:
    documented = load(CONFIG / "default.toml")
    file = tmp_path / "shop.toml"
    file.write_text('shop = "my-shop"\n')
    defaults = load(file)
    without_places = {"state": defaults.state}
    assert documented.model_copy(update=without_places) == defaults


def test_a_new_shop_gets_the_default_recipe() -> None:
    tree = tomllib.loads((CONFIG / "recipes" / "default.toml").read_text())
    made, default = RecipeSettings.model_validate(tree).recipe(), RecipeSettings().recipe()
    assert made.placements == default.placements
    assert made.index == default.index
    assert made.content["text"].use == default.content["text"].use
    assert made.interactions.keys() == default.interactions.keys()
    for name, choice in made.interactions.items():
        model = registry.interaction_model(choice)
        assert model == registry.interaction_model(default.interactions[name])


def test_quick_learns_nothing_and_asks_the_index_alone() -> None:
    tree = tomllib.loads((CONFIG / "recipes" / "quick.toml").read_text())
    (placement,) = RecipeSettings.model_validate(tree).recipe().placements
    assert placement.fusion.use == "gated"
    assert [source.use for source in placement.candidates] == ["nearest"]
    assert placement.ranker.use == "identity"


@pytest.mark.parametrize("path", sorted((CONFIG / "examples").glob("*.toml")), ids=lambda p: p.stem)
def test_examples_load(path: Path) -> None:
    assert load(path).recipe.recipe().digest


def test_relative_paths_resolve_against_the_file(file: Path) -> None:
    loaded = load(file)
    assert loaded.interactions[0].path == str(file.parent / "orders.csv")
    assert loaded.state.folder == file.parent / ".recommender"
    assert loaded.artifact_store().root == file.parent / ".recommender" / "artifacts"


def test_set_is_above_environment_is_above_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(file.read_text() + '[store]\nurl = "redis://file"\n')
    assert load(file).store.url == "redis://file"
    monkeypatch.setenv("RECOMMENDER_STORE__URL", "redis://environment")
    assert load(file).store.url == "redis://environment"
    assert load(file, ["store.url=redis://set"]).store.url == "redis://set"


def test_values_are_toml_literals_else_text(file: Path) -> None:
    loaded = load(
        file,
        [
            "limits.refused_share_max=0.5",
            "interactions.item_pattern=[0-9]+",
            "interactions.cancelled={column='invoice', pattern='C'}",
            "recipe.content.text.use=hashing",
            "recipe.content.text.dimensions=64",
            "shop=123",
        ],
    )
    assert loaded.limits.refused_share_max == 0.5
    assert loaded.interactions[0].item_pattern == "[0-9]+"
    assert loaded.interactions[0].cancelled is not None
    assert loaded.recipe.content["text"] == Choice("hashing", {"dimensions": 64})
    assert loaded.shop == "123"


def test_recipe_may_be_a_file(file: Path) -> None:
    (file.parent / "mine.toml").write_text('text = "hashing"\n')
    file.write_text('recipe = "mine.toml"\n' + file.read_text())
    assert load(file).recipe.content["text"].use == "hashing"
    assert load(file, ["recipe.content.text.dimensions=8"]).recipe.content["text"].parameters == {
        "dimensions": 8
    }
    both = ["recipe=mine.toml", "recipe.content.text.dimensions=16"]
    assert load(file, both).recipe.content["text"].parameters == {"dimensions": 16}


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["recipe.text.dimensions=16"], Choice("hashing", {"dimensions": 16})),
        (["recipe.text=static"], Choice("static")),
        (["recipe.text.use=static", "recipe.text.path=w.bin"], "w.bin"),
        (["recipe.text.dimensions=8", "recipe.content.text.dimensions=32"], 32),
    ],
)
def test_the_old_name_of_the_text_encoder_is_accepted(
    file: Path, caplog: pytest.LogCaptureFixture, assignments: list[str], expected: object
) -> None:
    (file.parent / "old.toml").write_text('text = "hashing"\n')
    (file.parent / "new.toml").write_text('[content.text]\nuse = "hashing"\n')
    for name in ("old.toml", "new.toml"):
        caplog.clear()
        made = load(file, [f"recipe={name}", *assignments]).recipe.content["text"]
        assert "recipe.text is now called recipe.content.text" in caplog.text
        path, dimensions = made.parameters.get("path"), made.parameters.get("dimensions")
        assert expected in (made, dimensions) or path == str(file.parent / str(expected))


def test_several_sources_of_interactions(file: Path) -> None:
    file.write_text(
        'shop = "acme"\n[[interactions]]\npath = "a.csv"\n'
        '[[interactions]]\npath = ["b.csv", "c.csv"]\nkind = "view"\nweights = { view = 0.1 }\n'
    )
    loaded = load(file, ["interactions.1.kind=click"])
    assert loaded.interactions[1].kind == "click"
    assert loaded.interactions[1].path == tuple(str(file.parent / p) for p in ("b.csv", "c.csv"))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("store.urll=x", r"unknown setting 'store\.urll'; did you mean 'url'\?"),
        ("stoer.url=x", r"unknown setting 'stoer'; did you mean 'store'\?"),
        ("interactions.collumns={}", r"did you mean 'columns'\?"),
        ("interactions.columns.itm='a'", r"did you mean 'item'\?"),
        ("catalogue.scope=some", r"catalogue\.scope = 'some'"),
        ("limits.refused_share_max=2", r"limits\.refused_share_max = '2'"),
        ("gates.items_share_min=7", r"items_share_min = 7\.0 is not in 0\.\.1"),
        ("recipe.placements=[]", r"recipe\.placements is empty"),
        ("recipe.placements.0.depth=3", "placements"),
        ("state.user_key=short", "give 16 to 64 bytes"),
        ("shop=Acme Ltd", "Acme Ltd"),
        ("shop.name=x", "shop is a value"),
        ("noequals", r"write dotted\.name=VALUE"),
        ("=x", "is no setting"),
        ("a..b=x", "is no setting"),
        ("interactions.path=", "name at least one file"),
        ("interactions.item_pattern=(", "no regular expression"),
        ("interactions.time_zone=Mars/Base", "time_zone"),
        ("interactions.weights={purchase=-1}", "weights"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(file: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(file, [assignment])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RECOMMENDER_STORE__URLL", "did you mean 'url'"),
        ("RECOMMENDER_STOER__URL", "did you mean 'store'"),
        ("RECOMMENDER_SHOPP", "did you mean 'shop'"),
    ],
)
def test_misspelt_environment_is_refused(
    file: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=message):
        load(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("shop = ", "no readable TOML"),
        ("shop = 'a'\n[stoer]\nurl = 'x'\n", "did you mean 'store'"),
        ("[store]\nurl='x'\n", "shop is not set"),
        ("shop = 'a'\nrecipe = 'nowhere.toml'\n", r"nowhere\.toml does not exist"),
        ("shop = 'a'\nstore = 'redis://x'\n", "store"),
        ("shop = 'a'\nstate = 'x'\n", "state"),
        ("shop = 'a'\ninteractions = 'x.csv'\n", "interactions"),
        ("shop = 'a'\n[recipe.content.text]\nuse = 7\n", "recipe.content.text"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load(path)


def test_binary_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="no readable TOML"):
        load(path)


def test_where_the_file_is_looked_for(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECOMMENDER_CONFIG", raising=False)
    with pytest.raises(ConfigError, match=r"--config.*RECOMMENDER_CONFIG.*recommender\.toml"):
        find_file(None)
    (tmp_path / "recommender.toml").write_text('shop = "here"\n')
    assert load(find_file(None)).shop == "here"
    monkeypatch.setenv("RECOMMENDER_CONFIG", str(file))
    assert load(find_file(None)).shop == "acme"
    with pytest.raises(ConfigError, match=r"--config: there is no settings file 'no\.toml'"):
        find_file("no.toml")


@pytest.mark.fault("S14")
def test_secrets_are_masked(file: Path) -> None:
    loaded = load(
        file, ["state.user_key=S3CR3T-xyz-0123456789", "store.url=redis://:S3CR3T-xyz@localhost/0"]
    )
    assert "S3CR3T-xyz" not in tomli_w.dumps(loaded.plain())
    assert "S3CR3T-xyz" not in repr(loaded.state)
    assert loaded.job().user_key == b"S3CR3T-xyz-0123456789"


def test_a_wrong_secret_is_not_repeated(file: Path) -> None:
    for assignment in ("state.user_key=S3CR3T", "store.url=['S3CR3T']"):
        with pytest.raises(ConfigError) as caught:
            load(file, [assignment])
        assert "S3CR3T" not in str(caught.value)


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


@given(st.text(max_size=40), st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_odd_assignments_are_refused_or_taken_and_never_run(
    file: Path, name: str, value: str
) -> None:
    outcome: Settings | ConfigError
    try:
        outcome = load(file, [f"{name}={value}"])
    except ConfigError as error:
        outcome = error
    assert isinstance(outcome, Settings) or "\n" not in str(outcome)


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


@pytest.mark.parametrize(
    "setting", ["url=http://u:S3CR3T@h/v1", "key=S3CR3T x", "url=ftp://S3CR3T"]
)
def test_faults_of_a_text_api_tell_no_secret(tmp_path: Path, setting: str) -> None:
    config = tmp_path / "recommender.toml"
    config.write_text('shop = "acme"\n')
    with pytest.raises(ConfigError, match="text_api") as caught:
        load(config, [f"text_api.{setting}"])
    assert "S3CR3T" not in str(caught.value)
