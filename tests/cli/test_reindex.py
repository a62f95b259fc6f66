"""`recommender reindex` and `refresh` as people use them."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.settings.loading import load
from tests.cli.shop import BASKETS, PLAIN_BASKETS, failed, related
from tests.support.shop_files import orders, write_shop


def test_reindex_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = orders(*BASKETS) + "o99,u,,no id,2026-01-01\n" * 1
    config = write_shop(tmp_path, text)
    assert run(["reindex", "--config", str(config), "--set", "limits.refused_share_max=0.1"]) == 0
    said = capsys.readouterr().out
    assert "Generation 1 of acme is live: 6 related lists" in said
    assert "refused: " in said
    assert "6 items, 0 cold" in said
    assert "peak memory" in said
    assert max(map(len, said.splitlines())) <= 100 or "quarantine" in said


def test_unchanged_run_publishes_nothing_and_imports_nothing_heavy(live: Path) -> None:
    code = (
        "import sys\n"
        "from recommender.cli.main import run\n"
        f"assert run(['reindex', '--config', {str(live)!r}]) == 0\n"
        "assert not {'torch', 'faiss', 'implicit', 'sklearn'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Nothing changed: generation 1 of acme stays live" in done.stdout


def test_force_publishes_what_did_not_change(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = related(live, "a", capsys)
    assert run(["reindex", "--config", str(live), "--force"]) == 0
    after = related(live, "a", capsys)
    assert (before["generation"], after["generation"]) == (1, 2)
    assert before["items"] == after["items"]


@pytest.mark.fault(39)
def test_shrunk_catalogue_is_held(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (live.parent / "orders.csv").write_text(orders(("a", "b"), ("a", "b")))
    said = failed(capsys, ["reindex", "--config", str(live)], 6)
    assert "2 items, the live generation has 6" in said
    assert "recommender approve 2" in said
    assert related(live, "a", capsys)["generation"] == 1
    assert run(["reindex", "--config", str(live), "--force"]) == 0
    assert related(live, "a", capsys)["generation"] == 3


def test_wrong_delimiter_is_told(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (live.parent / "orders.csv").write_bytes(GOOD.replace(b",", b";"))
    assert "set delimiter = ';'" in failed(capsys, ["reindex", "--config", str(live)], 3)
    assert run(["reindex", "--config", str(live), "--set", "interactions.delimiter=;"]) == 0


GOOD = orders(*BASKETS).encode()


BAD_SETTINGS = [
    ("interactions.columns.basket=invoice", "invoice"),
    ("interactions.columns.itm=x", "did you mean 'item'"),
    ("recipe.content.text.use=hashin", "did you mean 'hashing'"),
    ("recipe.content.text.dimension=3", "did you mean 'dimensions'"),
    ("recipe.content.text.dimensions=3", "dimensions = 3 is not in"),
    ("recipe.content.text.dimensions='many'", "dimensions = 'many' is not a whole number"),
    ("recipe.content.text={use='sentence-transformers', model='./none'}", "does not exist"),
    ("recipe.interactions.behaviour.unit=cart", "one of 'auto', 'basket'"),
    ("recipe.placements=[{name='related', fusion={use='gated', behaviour='x'}}]", "'x'"),
    ("interactions.path=nowhere.csv", "nowhere.csv"),
]


@pytest.mark.parametrize(("assignment", "named"), BAD_SETTINGS)
def test_bad_settings_leave_live_what_was(
    live: Path, assignment: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = failed(capsys, ["reindex", "--config", str(live), "--set", assignment], 3)
    assert named in said
    assert related(live, "a", capsys)["generation"] == 1


HEADER = GOOD.split(b"\n")[0] + b"\n"


BAD_ORDERS = {
    "empty file": (b"", "empty"),
    "header only": (HEADER, "no items"),
    "cp1252 bytes": (GOOD.replace(b"Title of", "Caf\u00e9".encode("cp1252")), "cp1252"),
    "utf-16": (orders(*BASKETS).encode("utf-16-le"), "UTF-16"),
    "NUL bytes in ids": (GOOD.replace(b",a,", b",a\0,"), "control character"),
    "too many fields": (GOOD.replace(b"2026", b"x,y,2026"), "fields"),
    "unclosed quote": (GOOD.replace(b",Title of c", b',"Title of c', 1), "quote"),
    "times that are none": (GOOD.replace(b"2026-", b"the year "), "time"),
}


@pytest.mark.fault(35)
@pytest.mark.parametrize("name", sorted(BAD_ORDERS))
def test_bad_input_leaves_live_what_was(
    live: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = BAD_ORDERS[name]
    (live.parent / "orders.csv").write_bytes(content)
    error = failed(capsys, ["reindex", "--config", str(live)], 4)
    assert "orders.csv" in error or name == "header only"
    assert said.casefold() in error.casefold()
    (live.parent / "orders.csv").write_bytes(GOOD)
    assert related(live, "a", capsys)["generation"] == 1


@pytest.mark.parametrize("keep", [0.2, 0.9])
def test_broken_gzip_leaves_live_what_was(
    live: Path, keep: float, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = gzip.compress(GOOD * 50)
    (live.parent / "orders.csv.gz").write_bytes(packed[: int(len(packed) * keep)])
    broken = ["reindex", "--config", str(live), "--set", "interactions.path=orders.csv.gz"]
    assert "gz" in failed(capsys, broken, 4)
    assert related(live, "a", capsys)["generation"] == 1


GOOD_SHOPS = {
    "one item": (orders(("a",), ("a",)), None, 1),
    "all items identical": ("order_id,item_id,title\n", "same", 40),
    "no interactions": (HEADER.decode(), "distinct", 40),
    "one who bought everything": (orders(tuple(f"i{row}" for row in range(40))), "distinct", 40),
    "titles of 1 MB": (orders(*BASKETS).replace("Title of a", "long " * 200_000), None, 6),
    "duplicate ids": (orders(*BASKETS), "item_id,title\na,first\nb,other\na,second\n", 6),
}


@pytest.mark.fault(36, 37, 38, 40)
@pytest.mark.parametrize("name", sorted(GOOD_SHOPS))
def test_odd_shops_are_published(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, catalogue, n_items = GOOD_SHOPS[name]
    if catalogue in {"same", "distinct"}:
        rows = [
            f"i{row},{'one kettle' if catalogue == 'same' else f'kettle {row}'}"
            for row in range(40)
        ]
        catalogue = "item_id,title\n" + "\n".join(rows) + "\n"
    config = write_shop(tmp_path, text, catalogue=catalogue)
    assert run(["reindex", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert f"{n_items} related lists" in said
    if name == "duplicate ids":
        assert "1 further rows of the same id" in said
        assert "4 sold but not in the catalogue" in said
        answer = related(config, "b", capsys)
        titles = {entry["id"]: entry["title"] for entry in answer["items"]}  # type: ignore[attr-defined]
        assert titles["a"] == "first"
    if name == "titles of 1 MB":
        assert "1 texts cut" in said


@pytest.mark.fault("S15")
def test_customers_are_nowhere_to_be_found(live: Path) -> None:
    for path in live.parent.rglob("*"):
        if path.is_file() and path.name != "orders.csv":
            assert b"customer-1" not in path.read_bytes(), path


def test_killed_reindex_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    brief = ["--config", str(config), "--set", "store.lease_s=3"]
    command = [sys.executable, "-m", "recommender.cli", "reindex", *brief]
    places = [
        "artifact.before_rename=kill@2",
        "artifact.write=kill@3",
        "publish.staged=kill@1",
        "publish.before_swap=kill@1",
    ]
    for place in places:
        environment = os.environ | {"RECOMMENDER_FAILPOINTS": place}
        killed = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert killed.returncode == -9, killed.stderr
    assert run(["reindex", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "reused" in said
    assert "6 related lists" in said


def test_no_progress_where_nobody_looks(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    command = [sys.executable, "-m", "recommender.cli", "reindex", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("share", "code", "reason"),
    [
        ("1", 3, "canary share 1.0: use a number above 0 and below 1"),
        ("-0.5", 3, "use a number above 0 and below 1"),
        ("nan", 3, "use a number above 0 and below 1"),
        ("0.1", 4, "nothing is live yet"),
    ],
)
def test_a_canary_that_cannot_be_is_told_before_anything_is_built(
    tmp_path: Path, share: str, code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(write_shop(tmp_path, orders(*BASKETS)))]
    assert reason in failed(capsys, ["reindex", f"--canary={share}", *where], code)
    assert not list(tmp_path.rglob("artifacts"))


CATALOGUE = "item_id,title\n" + "".join(f"{item},Garden lamp {item}\n" for item in "abcdef")


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    """The settings of a tiny shop with one generation live, and a row more in its catalogue."""
    config = write_shop(tmp_path, orders(*PLAIN_BASKETS), catalogue=CATALOGUE)
    assert run(["reindex", "--config", str(config)]) == 0
    with (tmp_path / "catalogue.csv").open("a") as file:
        file.write("new,Garden lamp new\n")
    return config


def test_refresh_says_what_it_did_and_related_shows_it(
    growing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(growing)]
    listed = growing.parent / "ids.txt"
    listed.write_text("a\n")
    capsys.readouterr()
    assert run(["refresh", "new", "--file", str(listed), *where]) == 0
    said = capsys.readouterr()
    assert not said.err
    assert "1 new and 1 known items refreshed: generation 2 overlays 1" in said.out
    assert "related: inserted in " in said.out
    assert "provisional until the next recommender reindex" in said.out
    answer = related(growing, "new", capsys)
    assert (answer["status"], answer["provisional"]) == ("ok", True)
    items = related(growing, "b", capsys)["items"]
    assert isinstance(items, list)
    shown = {entry["id"]: entry for entry in items}
    assert shown["new"]["provisional"]
    assert shown["new"]["title"] == "Garden lamp new"
    assert not shown["a"]["provisional"]
    assert run(["related", "b", *where]) == 0
    assert "text, provisional" in capsys.readouterr().out
    assert run(["related", "new", *where]) == 0
    assert "Garden lamp new  (provisional)" in capsys.readouterr().out


def test_hidden_items_are_told(growing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", str(growing)]
    assert run(["hide", "new", *where]) == 0
    assert run(["refresh", "new", *where]) == 0
    assert "1 of them hidden: recommender unhide shows them" in capsys.readouterr().out


def test_what_cannot_be_refreshed_is_told_in_one_line(
    growing: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(growing)]
    for arguments, code, told in (
        (["refresh"], 3, "no item: name some, or a --file"),
        (["refresh", "nobody"], 4, "item 'nobody': not in "),
        (["refresh", "new", "--set", "catalogue.path=''"], 3, "catalogue.path is not set"),
    ):
        capsys.readouterr()
        assert run([*arguments, *where]) == code
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert told in said.err
        assert not said.out


def test_a_run_that_began_before_is_told(growing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = growing.parent / ".recommender" / "artifacts" / "acme" / "runs"
    assert [path.name for path in record.iterdir()] == ["acme.1.json"]
    from recommender.build.job import pinned
    from recommender.cli.session import publisher
    from recommender.pipeline import begin

    settings = load(growing)
    with publisher(settings) as shop:
        begin(pinned(settings.job()), shop)
    capsys.readouterr()
    assert run(["refresh", "new", "--config", str(growing)]) == 0
    assert "run 2, if it is still running, is superseded by this refresh" in capsys.readouterr().err
