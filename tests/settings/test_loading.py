"""Where settings come from: files, recipes, the environment and `--set`."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommender.core.recipe import Choice
from recommender.errors import ConfigError
from recommender.settings.loading import find_file, literal, load
from recommender.settings.model import Settings
from recommender.settings.presets import shipped
from tests.support.repository import CONFIG


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
    file: Path, assignments: list[str], expected: object
) -> None:
    (file.parent / "old.toml").write_text('text = "hashing"\n')
    (file.parent / "new.toml").write_text('[content.text]\nuse = "hashing"\n')
    for name in ("old.toml", "new.toml"):
        made = load(file, [f"recipe={name}", *assignments]).recipe.content["text"]
        path, dimensions = made.parameters.get("path"), made.parameters.get("dimensions")
        assert expected in (made, dimensions) or path == str(file.parent / str(expected))


@pytest.mark.parametrize("name", ["default", "placements", "quick"])
def test_recipe_may_be_a_name(file: Path, name: str) -> None:
    assert shipped(f"config/recipes/{name}.toml").is_file()
    path = CONFIG / "recipes" / f"{name}.toml"
    assert load(file, [f"recipe={name}"]).recipe == load(file, [f"recipe={path}"]).recipe


def test_unknown_recipe_is_refused_with_the_names(file: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"one of default, placements, quick, with-images, or .* \.toml"
    ):
        load(file, ["recipe=quik"])


def test_several_sources_of_interactions(file: Path) -> None:
    file.write_text(
        'shop = "acme"\n[[interactions]]\npath = "a.csv"\n'
        '[[interactions]]\npath = ["b.csv", "c.csv"]\nkind = "view"\nweights = { view = 0.1 }\n'
    )
    loaded = load(file, ["interactions.1.kind=click"])
    assert loaded.interactions[1].kind == "click"
    assert loaded.interactions[1].path == tuple(str(file.parent / p) for p in ("b.csv", "c.csv"))


@pytest.mark.fault("S22")
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
        ("=x", "is not a setting"),
        ("a..b=x", "is not a setting"),
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


@pytest.mark.fault("S22")
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
        ("shop = ", "not a readable TOML"),
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
    with pytest.raises(ConfigError, match="not a readable TOML"):
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


@pytest.mark.fault("S22")
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


@pytest.mark.fault("S22")
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x = " + "9" * 5000, "not a readable TOML file"),
        ("x = " + "[" * 5000, "not a readable TOML file"),
        ("[" + "a." * 900 + "a]", "nested too deeply"),
        ('recipe = "\\u0000.toml"', "not a readable TOML file"),
        ('recipe = "~nobody-at-all/x.toml"', "there is no such user"),
        ('[catalogue]\npath = "~nobody-at-all/x.csv"', "there is no such user"),
        ('[catalogue]\npreset = ["shopify"]', "there is none"),
    ],
    ids=["number", "arrays", "tables", "nul", "recipe", "path", "preset"],
)
def test_hostile_files_are_refused(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "recommender.toml"
    path.write_text(f'shop = "acme"\n{content}\n')
    with pytest.raises(ConfigError, match=told):
        load(path)


def test_a_value_that_toml_cannot_hold_is_text() -> None:
    for text in ("9" * 5000, "[" * 5000):
        assert literal(text) == text
