"""Row 48: another text model takes over: paid anew, never mixed, live only once its gates pass."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.build.job import pinned
from recommender.build.steps import complete, named
from recommender.build.text_shards import SHARD, Ledger
from recommender.cli.main import run
from recommender.core.telemetry import Stopwatch
from recommender.errors import ArtifactError
from recommender.pipeline import plan
from recommender.settings.loading import load
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop
from tests.support.text_api_server import TextServer, running

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
N = 6


@pytest.fixture
def server() -> Iterator[TextServer]:
    with running() as state:
        yield state


@pytest.fixture
def where(tmp_path: Path, server: TextServer) -> list[str]:
    config = write_shop(tmp_path, orders(*BASKETS))
    heavy = 'fusion = { use = "concatenation", weights = { text = 1.0, behaviour = 0.1 } }'
    config.write_text(config.read_text().replace('fusion = "gated"', heavy))
    return ["--config", str(config), "--set", f"text_api.url={server.url}"]


def model(dimensions: int) -> list[str]:
    text = f'{{ use = "openai", model = "m", dimensions = {dimensions}, shorten = true }}'
    return ["--set", f"recipe.content.text={text}"]


def served(where: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The live generation, and the related items of `a` that it serves."""
    capsys.readouterr()
    assert run(["related", "a", *where, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    return int(answer["generation"]), [f"{one['id']} {one['score']:.6f}" for one in answer["items"]]


@pytest.mark.fault(48)
@pytest.mark.server
def test_another_model_waits_for_its_gates_and_can_be_rolled_back(
    where: list[str], server: TextServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reindex", *where]) == 0
    first = served(where, capsys)

    server.reply = lambda handler, _: handler.send(401, b"{}")
    assert run(["reindex", *where, *model(32)]) == 8
    assert served(where, capsys) == first

    server.reply = lambda handler, answer: handler.whole(answer)
    strict = [*where, *model(32), "--set", "gates.overlap_min=1.0"]
    strict += ["--set", "gates.golden=golden.csv"]
    Path(where[1]).with_name("golden.csv").write_text("item,related,expected\na,zz,must\n")
    assert run(["reindex", *strict]) == 6
    assert served(where, capsys) == first

    paid = server.requests
    assert run(["approve", *strict]) == 0
    second = served(where, capsys)
    assert second[0] > first[0]
    assert second[1] != first[1]

    assert run(["rollback", *where]) == 0
    assert served(where, capsys)[1] == first[1]
    assert run(["reindex", *where, *model(32), "--force"]) == 0
    assert served(where, capsys)[1] == second[1]
    assert server.requests == paid
    assert sorted(server.sent_twice) == [f"Title of {item}" for item in "abcdef"]


@pytest.mark.fault(48)
def test_models_and_dimensions_share_no_shard(where: list[str], server: TextServer) -> None:
    config = Path(where[1])
    shapes = {}
    for dimensions in (32, 64):
        job = pinned(load(config, [*where[3::2], *model(dimensions)[1::2]]).job())
        make(job)
        assert job.pins is not None
        ledger = Ledger(job.artifacts, job.pins.content["text"])
        shapes[dimensions] = {
            shard.key: shard.columns("matrix")["matrix"].shape
            for shard in ledger.shards(ledger.end())
        }
    assert set(shapes[32].values()) == {(N, 32)}
    assert set(shapes[64].values()) == {(N, 64)}
    assert not shapes[32].keys() & shapes[64].keys()


@pytest.mark.fault(48)
def test_shards_of_two_dimensions_are_never_joined(tmp_path: Path) -> None:
    config = write_shop(tmp_path, orders(*BASKETS))
    job = pinned(load(config, ["limits.shard_texts=3"]).job())
    complete(named(plan(job).goal, "read"), Stopwatch())
    complete(named(plan(job).goal, "text-plan.text"), Stopwatch())
    encoding = named(plan(job).goal, "encode.text")
    keys = encoding.keys() or ()
    encoding.perform([0])
    made = job.artifacts.require(SHARD[0], keys[0]).columns()
    texts = named(plan(job).goal, "text-plan.text").artifact().columns("hashes", "missing")
    other = {"hashes": texts["hashes"][texts["missing"][3:]], "matrix": made["matrix"][:, :9]}
    job.artifacts.write(SHARD[0], keys[1], other, {"texts": 3})
    with pytest.raises(ArtifactError, match="changed under its name"):
        complete(named(plan(job).goal, "embed.text"), Stopwatch())
