"""Releases by name, how two differ, and a held one that goes live."""

from pathlib import Path

import pytest

from recommender import pipeline
from recommender.artifacts.runs import require_run
from recommender.build.gates import Gates
from recommender.build.job import Job
from recommender.errors import ConfigError, GateHeld, StoreUnavailable
from recommender.insights.diff import approve, differences, release
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
FEWER: list[tuple[str, ...]] = [("a", "b"), ("a", "f")]
OTHERS = [*BASKETS, *[("a", f"x{number}", f"y{number}") for number in range(6)] * 3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shop(tmp_path, orders(*BASKETS))
    return tmp_path


def job(folder: Path) -> Job:
    return load(folder / "recommender.toml").job()


def built(folder: Path, publisher: Publisher, baskets: list[tuple[str, ...]]) -> None:
    """Reindex with these baskets; what is held is no error."""
    (folder / "orders.csv").write_text(orders(*baskets))
    try:
        pipeline.reindex(job(folder), publisher, Gates(overlap_min=0))
    except GateHeld:
        return


@pytest.fixture
def held(folder: Path, publisher: Publisher) -> Job:
    """Generation 1 is live; run 2 is held, because most orders are gone."""
    built(folder, publisher, BASKETS)
    built(folder, publisher, FEWER)
    return job(folder)


@pytest.mark.parametrize(
    ("name", "number", "role"), [("live", 1, "live"), ("1", 1, "live"), ("held", 2, "held")]
)
def test_a_release_is_found_by_role_or_number(
    held: Job, publisher: Publisher, name: str, number: int, role: str
) -> None:
    found = release(held.artifacts, publisher, name)
    assert (found.number, found.role) == (number, role)
    assert bool(found.held) == (role == "held")


@pytest.mark.parametrize("name", ["previous", "9", "", "x" * 99, "9" * 30])
def test_an_unknown_release_is_refused_with_those_that_there_are(
    held: Job, publisher: Publisher, name: str
) -> None:
    with pytest.raises(ConfigError, match=r"there is no release .*; there are: 2 held, 1 live$"):
        release(held.artifacts, publisher, name)


def test_a_held_run_goes_live_once(held: Job, publisher: Publisher) -> None:
    generation = approve(held.artifacts, publisher)
    live = publisher.live()
    assert live is not None
    assert generation.id == live.id == 2
    assert require_run(held.artifacts, 2).state == "published"
    with pytest.raises(ConfigError, match="newer than the live generation; waiting: none"):
        approve(held.artifacts, publisher)


def test_a_later_generation_overtakes_what_is_held(
    held: Job, folder: Path, publisher: Publisher
) -> None:
    pipeline.reindex(job(folder), publisher, Gates(), force=True)
    assert require_run(held.artifacts, 2).state == "held"
    with pytest.raises(ConfigError, match="waiting: none"):
        approve(held.artifacts, publisher, 2)
    with pytest.raises(ConfigError, match=r"there are: 3 live, 1 previous$"):
        release(held.artifacts, publisher, "held")


def test_only_a_held_run_is_approved(held: Job, publisher: Publisher) -> None:
    with pytest.raises(ConfigError, match=r"run 1 is not held .* waiting: 2$"):
        approve(held.artifacts, publisher, 1)


def test_a_store_that_fails_leaves_the_run_held_with_the_reason(
    held: Job, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise StoreUnavailable("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "publish", failing)
        with pytest.raises(StoreUnavailable):
            approve(held.artifacts, publisher)
    run = require_run(held.artifacts, 2)
    assert (run.state, run.error) == ("held", "the server is gone")
    assert approve(held.artifacts, publisher).id == 2
    assert require_run(held.artifacts, 2).error == ""


def test_a_release_does_not_differ_from_itself(held: Job, publisher: Publisher) -> None:
    live = release(held.artifacts, publisher, "live")
    (found,) = differences(held.artifacts, live, live)
    assert (found.n_common, found.n_new, found.n_gone) == (6, 0, 0)
    assert (found.n_changed, found.n_reordered, found.churn) == (0, 0, 0)
    assert (found.orphaned, found.best_sellers, found.jumps) == ((), (), ())


def test_lists_that_changed_show_what_stays_and_what_is_new(
    folder: Path, publisher: Publisher
) -> None:
    built(folder, publisher, BASKETS)
    built(folder, publisher, OTHERS)
    store = job(folder).artifacts
    old, new = (release(store, publisher, name) for name in ("previous", "live"))
    (found,) = differences(store, old, new)
    assert (found.n_common, found.n_new, found.n_gone) == (6, 12, 0)
    assert found.n_changed > 0
    assert 0 < found.churn < 1
    kept = [changed.kept for changed in found.best_sellers]
    assert kept == sorted(kept)
    assert kept[0] < kept[-1]
    for changed in found.best_sellers:
        before, after = ([entry.item for entry in part] for part in (changed.before, changed.after))
        assert [entry.stays for entry in changed.before] == [item in after for item in before]
        assert [entry.stays for entry in changed.after] == [item in before for item in after]
        assert changed.title == f"Title of {changed.item}"
        both = len(set(before) & set(after)) / max(len(before), len(after))
        assert changed.kept == pytest.approx(both)
    (back,) = differences(store, new, old)
    assert (back.n_new, back.n_gone) == (0, 12)
