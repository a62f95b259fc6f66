"""The command as people use it: whole shops, the embedded store, exit codes, one-line errors."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.insights import encoding_paths
from recommender.insights.encoding_paths import EncodingPath, Fidelity
from recommender.publishing.embedded import Embedded
from recommender.serving.connection import open_store
from tests.support.shop_files import orders, write_shop, write_small_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "00123"), ("NA", "a"), ("1e5", "b", "NA")] * 3


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings of the generated shop, with one generation live."""
    config = write_small_shop(tmp_path_factory.mktemp("small"))
    assert run(["reindex", "--config", str(config)]) == 0
    return config


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """The settings of a tiny shop of its own, with one generation live."""
    config = write_shop(tmp_path, orders(*BASKETS))
    assert run(["reindex", "--config", str(config)]) == 0
    return config


def failed(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    """Run a command that fails: its exit code, one line on stderr, nothing on stdout."""
    capsys.readouterr()
    assert run(arguments) == code
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.err.startswith("recommender: ")
    assert "Traceback" not in said.err
    return said.err


def related(config: Path, item: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    capsys.readouterr()
    assert run(["related", item, "--config", str(config), "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


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


def test_related_json(small_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = related(small_shop, "20000", capsys)
    assert set(answer) == {
        *("shop", "item", "placement", "generation", "status", "provisional", "items")
    }
    assert (answer["shop"], answer["item"], answer["status"]) == ("acme", "20000", "ok")
    items = answer["items"]
    assert isinstance(items, list)
    assert len(items) == 12
    for entry in items:
        assert set(entry) == {"id", "score", "evidence", "provisional", "title"}
        assert entry["title"]
        assert 0 < entry["score"] <= 1


def test_related_table_fits_a_page(small_shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["related", "20000", "-n", "5", "--config", str(small_shop)]) == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[0].startswith("related: 20000  Northwind Aster 5 Smartphone")
    assert len(lines) == 7
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("item", ["00123", "NA", "1e5"])
def test_ids_survive_from_end_to_end(
    live: Path, item: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert related(live, item, capsys)["item"] == item


def test_unknown_item_is_told_with_a_guess(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = failed(capsys, ["related", "na", "--config", str(live)], 4)
    assert "item 'na' is not in the live generation 1; did you mean 'NA'?" in said


def test_generations_rollback_and_status(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", str(live)]
    assert run(["reindex", *where, "--force"]) == 0
    capsys.readouterr()
    assert run(["generations", *where]) == 0
    listed = capsys.readouterr().out
    assert listed.index("live") < listed.index("previous")
    assert run(["rollback", *where]) == 0
    assert "Generation 1 of shop acme is live" in capsys.readouterr().out
    assert related(live, "a", capsys)["generation"] == 1
    assert run(["status", *where]) == 0
    assert "generation 1" in capsys.readouterr().out
    said = failed(capsys, ["rollback", "77", *where], 3)
    assert "no complete generation 77 to roll back to; there are: 2 previous, 1 live" in said


def test_nothing_published_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    said = failed(capsys, ["related", "a", "--config", str(config)], 4)
    assert "nothing is published for shop acme yet; run recommender reindex" in said
    assert run(["generations", "--config", str(config)]) == 0
    assert run(["status", "--config", str(config)]) == 0
    failed(capsys, ["rollback", "--config", str(config)], 3)


@pytest.mark.fault(39)
def test_shrunk_catalogue_is_held(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (live.parent / "orders.csv").write_text(orders(("a", "b"), ("a", "b")))
    said = failed(capsys, ["reindex", "--config", str(live)], 6)
    assert "2 items, the live generation has 6" in said
    assert "recommender approve 2" in said
    assert related(live, "a", capsys)["generation"] == 1
    assert run(["reindex", "--config", str(live), "--force"]) == 0
    assert related(live, "a", capsys)["generation"] == 3


def test_store_that_is_off(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    off = ["--config", str(live), "--set", "store.url=redis://:S3CR3T@127.0.0.1:1/0"]
    for command in (["reindex"], ["related", "a"], ["generations"], ["rollback"], ["status"]):
        said = failed(capsys, [*command, *off], 7)
        assert "127.0.0.1:1" in said
        assert "S3CR3T" not in said


def test_embedded_store_is_kept_up_on_request(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(live)]
    failed(capsys, ["store", "url", *where], 7)
    assert run(["store", "start", *where]) == 0
    try:
        url = capsys.readouterr().out.strip()
        assert url.startswith("unix://")
        assert run(["store", "url", *where]) == 0
        assert capsys.readouterr().out.strip() == url
        code = (
            "from recommender.serving.lookup import RelatedItems\n"
            f"print(RelatedItems({url!r}, 'acme', deadline_s=2).get('a').status)"
        )
        shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert shown.stdout.strip() == "ok"
    finally:
        assert run(["store", "stop", *where]) == 0
    failed(capsys, ["store", "url", *where], 7)
    assert related(live, "a", capsys)["generation"] == 1
    failed(capsys, ["store", "start", *where, "--set", "store.url=redis://h"], 3)


def test_doctor(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["doctor", "--config", str(live)]) == 0
    assert "fault" not in capsys.readouterr().out
    (live.parent / "orders.csv").unlink()
    assert run(["doctor", "--config", str(live)]) == 3
    assert "orders.csv is not there" in capsys.readouterr().out
    assert run(["doctor", "--config", str(live), "--set", "store.url=redis://127.0.0.1:1"]) == 7


def test_doctor_proposes_the_fastest_way_to_encode(
    live: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(_choice: object, texts: list[str]) -> list[EncodingPath]:
        assert len(texts) == 1000
        return [
            EncodingPath({"precision": "fp32"}, 100.0, Fidelity(1.0, 1.0, 1.0)),
            EncodingPath({"precision": "bf16"}, 300.0, Fidelity(0.9999, 0.9998, 0.99)),
        ]

    monkeypatch.setattr(encoding_paths, "measured", measured)
    text = ["--set", "recipe.content.text=sentence-transformers"]
    assert run(["doctor", "--speed", "--config", str(live), *text]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "bf16: 300 short texts a second, cosine with fp32 0.99990 (least 0.99980)" in told
    assert 'recipe.content.text = { precision = "bf16" }' in told


@pytest.mark.fault(12)
def test_doctor_finds_lists_that_somebody_deleted(
    live: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = live.parent / ".recommender"
    with Embedded(state).attach() as url, open_store(url) as store:
        names = [*store.scan_iter(match="rec:*:related:?*")]
        store.unlink(names[0])
        assert run(["doctor", "--config", str(live)]) == 3
        assert f"{len(names)} are there" in " ".join(capsys.readouterr().out.split())
        assert run(["reindex", "--force", "--config", str(live)]) == 0
        assert run(["doctor", "--config", str(live)]) == 0


def test_config_prints_what_is_in_force(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["config", "--config", str(live), "--set", "gates.items_share_min=0.25"]) == 0
    assert "items_share_min = 0.25" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reindx"], "did you mean 'reindex'"),
        ([], "COMMAND"),
        (["related"], "ITEM"),
        (["related", "a", "-n", "many"], "invalid int"),
        (["reindex", "--forse"], "unrecognized arguments: --forse"),
        (["store", "begin"], "there are start, stop, url"),
    ],
)
def test_usage_errors_take_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        run(arguments)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_wrong_delimiter_is_told(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (live.parent / "orders.csv").write_bytes(GOOD.replace(b",", b";"))
    assert "set delimiter = ';'" in failed(capsys, ["reindex", "--config", str(live)], 3)
    assert run(["reindex", "--config", str(live), "--set", "interactions.delimiter=;"]) == 0


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


def test_misspelt_environment_is_told(
    live: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RECOMMENDER_STOER__URL", "redis://x")
    assert "did you mean 'store'" in failed(capsys, ["status", "--config", str(live)], 3)


GOOD = orders(*BASKETS).encode()
HEADER = GOOD.split(b"\n")[0] + b"\n"
BAD_ORDERS = {
    "empty file": (b"", "empty"),
    "header only": (HEADER, "no items"),
    "cp1252 bytes": (GOOD.replace(b"Title of", "Caf\u00e9".encode("cp1252")), "cp1252"),
    "utf-16": (orders(*BASKETS).encode("utf-16"), "UTF-16"),
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
        assert "1 replaced by a later row of the same id" in said
        assert "4 sold but not in the catalogue" in said
        answer = related(config, "b", capsys)
        titles = {entry["id"]: entry["title"] for entry in answer["items"]}  # type: ignore[attr-defined]
        assert titles["a"] == "second"
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


def test_debug_shows_the_traceback(live: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["rollback", "99", "--config", str(live), "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_no_progress_where_nobody_looks(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    command = [sys.executable, "-m", "recommender.cli", "reindex", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
