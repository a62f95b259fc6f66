"""A text is encoded once in its life, in shards that several workers can make."""

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recommender.artifacts.store import ArtifactStore
from recommender.build.job import Job, pinned
from recommender.build.steps import complete, named, ready, steps_of
from recommender.build.text_shards import SHARD, Ledger
from recommender.core.telemetry import Progress, Stopwatch, silent
from recommender.core.vectors import Embeddings
from recommender.errors import ArtifactError
from recommender.pipeline import plan
from recommender.settings.loading import load
from recommender.vectors.content.static import HashingEncoder
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop

N = 40


def shop(folder: Path, items: range = range(N), *assignments: str) -> Job:
    names = [f"i{number}" for number in items]
    write_shop(folder, orders(*zip(names, names[1:], names[2:], strict=False)))
    key = "state.user_key=0123456789abcdef"
    small = ("limits.shard_texts=7", "limits.shard_items=16", key)
    return load(folder / "recommender.toml", [*small, *assignments]).job()


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts of every call of the encoder."""
    calls: list[list[str]] = []
    encode = HashingEncoder.encode

    def counting(self: HashingEncoder, documents: list[str], progress: Progress) -> np.ndarray:
        calls.append(list(documents))
        return encode(self, documents, progress)

    monkeypatch.setattr(HashingEncoder, "encode", counting)
    return calls


def text_of(job: Job) -> dict[str, np.ndarray]:
    """The text vectors of a job by item."""
    job = pinned(job)
    steps = {step.name: step for step in steps_of(plan(job).goal)}
    columns = steps["read"].artifact().columns("catalogue.ids.bytes", "catalogue.ids.offsets")
    bounds = columns["catalogue.ids.offsets"]
    joined = columns["catalogue.ids.bytes"].tobytes()
    ids = [joined[a:b].decode() for a, b in itertools.pairwise(bounds)]
    matrix = Embeddings.from_columns(steps["embed.text"].artifact().columns()).matrix
    return dict(zip(ids, np.asarray(matrix), strict=True))


def test_each_text_is_encoded_once_in_its_life(tmp_path: Path, encoded: list[list[str]]) -> None:
    make(shop(tmp_path))
    assert [len(call) for call in encoded] == [7, 7, 7, 7, 7, 5]
    make(shop(tmp_path, range(10, N + 4)))
    assert [len(call) for call in encoded[6:]] == [4]
    make(shop(tmp_path, range(N + 4)))
    make(shop(tmp_path, range(N + 4), "recipe.interactions.behaviour.dimensions=8"))
    assert len(encoded) == 7
    assert max(Counter(text for call in encoded for text in call).values()) == 1
    fresh = HashingEncoder(64).encode(["Title of i43", "Title of i0"], silent)
    found = text_of(shop(tmp_path, range(N + 4)))
    assert (found["i43"] == fresh[0]).all()
    assert (found["i0"] == fresh[1]).all()


def test_another_encoder_shares_nothing(tmp_path: Path, encoded: list[list[str]]) -> None:
    make(shop(tmp_path))
    make(shop(tmp_path, range(N), "recipe.content.text.dimensions=32"))
    assert sum(len(call) for call in encoded) == 2 * N


@pytest.mark.parametrize("seed", range(5))
def test_shards_made_in_any_order_give_the_bytes_of_one_process(tmp_path: Path, seed: int) -> None:
    make(shop(tmp_path / "one"))
    job = pinned(shop(tmp_path / "many"))
    rng = random.Random(seed)
    made = 0
    while tasks := ready(plan(job).goal):
        task = rng.choice(tasks)
        named(plan(job).goal, task.step).perform([task.shard])
        made += 1
    assert made > 15
    assert contents(tmp_path / "one") == contents(tmp_path / "many")
    assert len(contents(tmp_path / "one")) > 60


@pytest.mark.parametrize("seed", range(5))
def test_a_run_cut_off_amid_its_shards_loses_none(
    tmp_path: Path, encoded: list[list[str]], seed: int
) -> None:
    job = pinned(shop(tmp_path))
    complete(plan(job).goal, Stopwatch())
    complete(named(plan(job).goal, "text-plan.text"), Stopwatch())
    rng = random.Random(seed)
    done = rng.sample(range(6), 3)
    named(plan(job).goal, "encode.text").perform(done)
    before = len(encoded)
    make(shop(tmp_path, range(N + 3)))
    again = [text for call in encoded[before:] for text in call]
    assert not set(again) & {text for call in encoded[:before] for text in call}
    assert len(set(again)) == len(again)
    make(shop(tmp_path))
    assert len([text for call in encoded for text in call]) == N + 3


def test_the_same_run_again_takes_the_same_shards(tmp_path: Path, encoded: list[list[str]]) -> None:
    job = pinned(shop(tmp_path))
    complete(plan(job).goal, Stopwatch())
    complete(named(plan(job).goal, "text-plan.text"), Stopwatch())
    named(plan(job).goal, "encode.text").perform([1, 4])
    keys = set(named(plan(job).goal, "encode.text").keys() or ())
    make(shop(tmp_path))
    folder = Path(job.artifacts.root, job.shop, SHARD[0])
    assert {path.name for path in folder.iterdir()} == keys
    assert sum(len(call) for call in encoded) == N
    make(shop(tmp_path / "uncut"))
    assert without_plans(tmp_path) == without_plans(tmp_path / "uncut")


def test_two_writers_of_a_ledger_lose_nothing(tmp_path: Path) -> None:
    ledger = Ledger(ArtifactStore(tmp_path, "acme"), "encoder")
    assert ledger.end() == 0
    ledger.add(["a", "b"], 0)
    ledger.add(["c"], 0)
    ledger.add([], 0)
    ledger.add(["a"], 2)
    assert ledger.end() == 2
    assert ledger.keys(2) == ["a", "b", "c"]
    for number in range(2, 21):
        assert ledger.end() == number
        ledger.add([f"k{number}"], number)
    with pytest.raises(ArtifactError, match="entry 21 of 22 is gone"):
        ledger.keys(22)


def test_a_shard_that_is_gone_is_encoded_again(tmp_path: Path, encoded: list[list[str]]) -> None:
    job = shop(tmp_path)
    make(job)
    folder = Path(job.artifacts.root, job.shop, SHARD[0])
    first = sorted(folder.iterdir())[0].name
    job.artifacts.discard(SHARD[0], first)
    make(shop(tmp_path, range(N + 1)))
    assert sum(len(call) for call in encoded[6:]) in {6, 8}
    assert len(text_of(shop(tmp_path, range(N + 1)))) == N + 1


def test_a_shard_that_rotted_is_told_before_anything_is_made_of_it(tmp_path: Path) -> None:
    job = pinned(shop(tmp_path))
    complete(plan(job).goal, Stopwatch())
    complete(named(plan(job).goal, "text-plan.text"), Stopwatch())
    named(plan(job).goal, "encode.text").perform(range(6))
    path = next(Path(job.artifacts.root, job.shop, SHARD[0]).glob("*/matrix.npy"))
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="was changed or cut"):
        complete(plan(job).goal, Stopwatch())
    assert named(plan(job).goal, "embed.text").missing() == (0,)


def contents(folder: Path) -> dict[str, bytes]:
    root = folder / ".recommender" / "artifacts"
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def without_plans(folder: Path) -> dict[str, bytes]:
    """The contents, but for the plans: those of a second try tell what the first left to do."""
    return {name: made for name, made in contents(folder).items() if "/text-plan/" not in name}


@pytest.mark.fault(17)
@pytest.mark.parametrize("seed", range(60))
def test_a_bit_that_flips_anywhere_in_a_build_is_noticed(
    whole_build: tuple[Job, dict[str, bytes]], seed: int
) -> None:
    job, files = whole_build
    rng = random.Random(seed)
    name = rng.choice(sorted(files))
    content = bytearray(files[name])
    place = rng.randrange(len(content) - 1)
    content[place] ^= 1 << rng.randrange(8)
    path = Path(job.artifacts.root, name)
    path.write_bytes(content if rng.random() < 0.7 else files[name][:place])
    try:
        with pytest.raises(ArtifactError, match="verify --repair"):
            load_everything(job)
    finally:
        path.write_bytes(files[name])
    load_everything(job)


@pytest.fixture(scope="module")
def whole_build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("whole")
    job = pinned(shop(folder))
    make(job)
    return job, contents(folder)


def load_everything(job: Job) -> None:
    for step in steps_of(plan(job).goal):
        for part in step.parts():
            part.columns()
    Ledger(job.artifacts, job.pins.content["text"] if job.pins else "").keys(1)
