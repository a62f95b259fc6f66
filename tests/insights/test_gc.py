"""What garbage collection keeps and what it removes, also while runs are at work."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from recommender import pipeline
from recommender.build.contents import find_build, read_catalogue, related_lists
from recommender.build.gates import Gates
from recommender.build.job import Job, pinned
from recommender.build.steps import complete
from recommender.cli.main import run
from recommender.core.api_budget import Budget
from recommender.core.telemetry import Stopwatch
from recommender.errors import GateHeld, ProviderFailed
from recommender.insights.gc import Removal, collect_garbage
from recommender.pipeline import begin, reindex
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.clip_model import picture, write_clip_model, write_picture
from tests.support.shop_files import orders, write_shop
from tests.support.text_api_server import running

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shop(tmp_path, orders(*BASKETS))
    return tmp_path


def job(folder: Path, *assignments: str) -> Job:
    return load(folder / "recommender.toml", ["limits.shard_texts=2", *assignments]).job()


def sold(folder: Path, *more: tuple[str, ...]) -> None:
    """Give the shop other orders."""
    (folder / "orders.csv").write_text(orders(*BASKETS, *more))


def published(folder: Path, publisher: Publisher, *more: tuple[str, ...]) -> int:
    sold(folder, *more)
    return reindex(job(folder), publisher, Gates(overlap_min=0)).generation.id


def collected(folder: Path, publisher: Publisher, *, keep_runs: int = 1) -> Removal:
    return collect_garbage(job(folder).artifacts, publisher, keep_runs=keep_runs, dry_run=False)


def whole(folder: Path, publisher: Publisher, key: str) -> None:
    """See that a build can be shown and published again."""
    store = job(folder).artifacts
    build = find_build(store, key)
    assert len(read_catalogue(store, build)) == len(related_lists(store, build)[0])


def test_live_and_previous_stay_and_older_ones_go(folder: Path, publisher: Publisher) -> None:
    store = job(folder).artifacts
    keys = []
    for more in ("c", "d", "e", "f"):
        published(folder, publisher, ("a", more), ("new-" + more, "a"))
        live = publisher.live()
        assert live is not None
        keys.append(live.lists_key)
    would = collect_garbage(store, publisher, keep_runs=1, dry_run=True)
    assert store.find("build", keys[0])
    removal = collected(folder, publisher)
    assert removal.artifacts == would.artifacts
    assert (removal.runs, removal.artifacts["build"]) == (2, 2)
    assert removal.n_bytes > 10_000
    assert [store.find("build", key) is not None for key in keys] == [False, False, True, True]
    for key in keys[2:]:
        whole(folder, publisher, key)
    assert collected(folder, publisher).artifacts == {}
    again = job(folder)
    assert not reindex(again, publisher, Gates()).published
    publisher.rollback()
    assert collected(folder, publisher).artifacts == {}


def test_shards_of_texts_that_are_gone_go_and_live_ones_stay(
    folder: Path, publisher: Publisher
) -> None:
    """The items that go are behind all others in a build, so that they fill shards of their own."""
    published(folder, publisher, ("x95", "x62"), ("x196", "x65"))
    published(folder, publisher)
    published(folder, publisher, ("a", "c"))
    published(folder, publisher, ("a", "d"))
    before = set(shards(folder))
    assert len(before) == 5
    removal = collected(folder, publisher)
    assert removal.artifacts["text-shard"] == 2
    made = job(folder, "recipe.interactions.behaviour.dimensions=4")
    reindex(made, publisher, Gates())
    assert "encode texts" not in {cost.stage for cost in made.stopwatch.costs if not cost.reused}


def test_shards_of_images_stay_with_their_run(folder: Path, publisher: Publisher) -> None:
    model = write_clip_model(folder / "clip")
    for place, item in enumerate("abc"):
        write_picture(folder / f"{item}.png", picture((80 * place, 0, 0)))
    catalogue = "item_id,title,image\na,A,a.png\nb,B,b.png\nc,C,c.png\n"
    write_shop(folder, orders(("a", "b", "c"), ("a", "b")), catalogue=catalogue)
    images = f"recipe.content={{images={{use='images', model='{model}'}}}}"
    reindex(job(folder, images), publisher, Gates())
    before = shards(folder)
    collected(folder, publisher)
    assert shards(folder) == before != []


def shards(folder: Path) -> list[str]:
    place = Path(job(folder).artifacts.root, "acme", "text-shard")
    return [path.name for path in place.iterdir()]


def test_what_is_held_stays_until_it_is_overtaken(folder: Path, publisher: Publisher) -> None:
    published(folder, publisher)
    (folder / "orders.csv").write_text(orders(("a", "b")))
    with pytest.raises(GateHeld):
        reindex(job(folder), publisher, Gates())
    store = job(folder).artifacts
    key = store.run("acme.2")["build"]  # type: ignore[index]
    assert set(collected(folder, publisher, keep_runs=0).artifacts) == {"text-plan"}
    whole(folder, publisher, key)
    for more in ("c", "d"):
        published(folder, publisher, ("a", more))
    collected(folder, publisher, keep_runs=0)
    assert store.find("build", key) is None
    assert store.run("acme.2") is None


def test_a_run_at_work_loses_nothing(folder: Path, publisher: Publisher) -> None:
    for more in ("c", "d", "e"):
        published(folder, publisher, ("a", more), ("old-" + more, "a"))
    sold(folder, ("new", "a"))
    working = pinned(job(folder))
    begun = begin(working, publisher)
    assert collected(folder, publisher, keep_runs=0) == Removal(at_work=(4,), complete=False)
    complete(pipeline.plan(working).goal, Stopwatch())
    planned = pipeline.plan(working)
    goal = planned.goal
    begun.save(working.artifacts, artifacts=planned.artifacts(), build=goal.key)
    for step in goal.needs[0].needs:
        complete(step, Stopwatch())
        removal = collected(folder, publisher, keep_runs=0)
        assert removal.at_work == (4,)
        assert "text-shard" not in removal.artifacts
    stopwatch = Stopwatch()
    complete(goal, stopwatch)
    made = {cost.stage for cost in stopwatch.costs if not cost.reused}
    assert made == {"search and choose related", "build"}


def test_a_run_that_begins_meanwhile_ends_it(
    folder: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for more in ("c", "d", "e"):
        published(folder, publisher, ("a", more))
    numbers = iter([3, 3, 4])
    store = job(folder).artifacts
    monkeypatch.setattr(type(store), "highest_run", lambda _: next(numbers))
    removal = collect_garbage(store, publisher, keep_runs=0, dry_run=False)
    assert not removal.complete
    assert sum(removal.artifacts.values()) == 1


def test_pinned_runs_stay(folder: Path, publisher: Publisher) -> None:
    first = published(folder, publisher)
    store = job(folder).artifacts
    key = store.run(f"acme.{first}")["build"]  # type: ignore[index]
    for more in ("c", "d", "e"):
        published(folder, publisher, ("a", more))
    collect_garbage(store, publisher, keep_runs=0, pinned=[first], dry_run=False)
    whole(folder, publisher, key)


def test_what_a_killed_writer_left_goes_after_a_day(folder: Path, publisher: Publisher) -> None:
    published(folder, publisher)
    place = Path(job(folder).artifacts.root, "acme", "text", ".tmp-left")
    place.mkdir()
    (place / "matrix.npy").write_bytes(b"half")
    collected(folder, publisher)
    assert place.exists()
    os.utime(place, (time.time() - 90_000,) * 2)
    collected(folder, publisher)
    assert not place.exists()


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", str(folder / "recommender.toml"), "--set", "artifacts.keep_runs=0"]
    for more in ("c", "d", "e"):
        sold(folder, ("a", more))
        assert run(["reindex", *where]) == 0
    capsys.readouterr()
    assert run(["gc", "--dry-run", *where]) == 0
    assert "would be removed" in capsys.readouterr().out
    assert run(["gc", *where]) == 0
    assert "1 run records removed" in capsys.readouterr().out
    assert run(["gc", *where]) == 0
    assert "0 artifacts and 0 run records removed" in capsys.readouterr().out


@pytest.mark.fault(27)
def test_a_clock_that_jumps_changes_no_order_and_removes_nothing(
    folder: Path, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, numbers = time.time, []
    for count, jump_s in enumerate((0, 86_400, -86_400, 3_600), 1):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: honest() + jump_s)
        numbers.append(published(folder, publisher, *[("a", "d")] * count))
        collect_garbage(job(folder).artifacts, publisher, keep_runs=1, dry_run=False)
        live = publisher.live()
        assert live is not None
        assert live.id == numbers[-1]
        assert abs(live.created_at - honest()) < 60
        assert related_lists(
            job(folder).artifacts, find_build(job(folder).artifacts, live.lists_key)
        )
    assert numbers == sorted(set(numbers))
    assert publisher.rollback().id == numbers[-2]


@pytest.mark.fault(49)
def test_what_a_failed_run_paid_for_stays_until_a_later_one_is_live(
    folder: Path, publisher: Publisher
) -> None:
    published(folder, publisher)
    with running() as server:
        text = '{ use = "openai", model = "m", dimensions = 64, batch_texts = 1 }'
        paying = job(
            folder,
            f"recipe.content.text={text}",
            f"text_api.url={server.url}",
            "text_api.calls_max=3",
        )
        with pytest.raises(ProviderFailed, match="calls_max = 3"):
            reindex(paying, publisher, Gates(overlap_min=0))
        assert collected(folder, publisher).artifacts == {}
        more = replace(paying, text_api=replace(paying.text_api, budget=Budget()))
        reindex(more, publisher, Gates(overlap_min=0))
        assert server.sent_twice == []
    for _ in range(2):
        published(folder, publisher)
        reindex(job(folder), publisher, Gates(overlap_min=0), force=True)
    ledgers = job(folder).artifacts.storage.names("acme/ledgers")
    assert collected(folder, publisher).artifacts["text-plan"] >= 2
    assert len(job(folder).artifacts.storage.names("acme/ledgers")) < len(ledgers)
