"""The steps from files to vectors: what decides their keys, and what is noticed."""

from pathlib import Path

import pytest

from recommender import registry
from recommender.build.job import pinned
from recommender.build.steps import Events, complete, steps_of, vectors_of
from recommender.build.vector_steps import (
    FITTED,
    already_read,
    behaviour_steps,
    content_steps,
    fuse_step,
    read_step,
    resolved,
)
from recommender.core.recipe import Choice
from recommender.errors import DataError
from recommender.vectors.fusion.gated import Gated
from tests.build.small_jobs import BASKETS, job, stages
from tests.support.builds import make
from tests.support.shop_files import orders, write_shop


def test_new_orders_of_known_items_do_not_encode_again(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    make(job(tmp_path))
    (tmp_path / "orders.csv").write_text(orders(*BASKETS, ("a", "c")))
    later = job(tmp_path)
    make(later)
    assert not stages(later)["read"]
    assert stages(later)["embed text"]
    assert not stages(later)["fit co-occurrence-svd"]


def test_the_customers_key_is_part_of_the_key_of_reading(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    one, _ = make(job(tmp_path, "state.user_key=0123456789abcdef"))
    two, _ = make(job(tmp_path, "state.user_key=fedcba9876543210"))
    assert one.key != two.key
    assert "0123456789abcdef" not in str(one.summary)


@pytest.mark.fault(44)
def test_a_file_replaced_between_two_looks_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    monkeypatch.setattr(
        "recommender.build.job.input_digests", lambda _: {"interactions.0.0": "earlier"}
    )
    with pytest.raises(DataError, match="was replaced while it was read"):
        make(job(tmp_path))


def test_each_fusion_is_fused_once(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    placements = (
        "recipe.placements=[{name='one', fusion='gated'}, {name='two', fusion='gated'},"
        " {name='three', fusion='concatenation'}]"
    )
    made = job(tmp_path, placements)
    _, lists = make(made)
    assert [part.placement for part in lists()] == ["one", "two", "three"]
    names = [cost.stage for cost in made.stopwatch.costs if not cost.reused]
    assert names.count("fuse gated") == 1
    assert names.count("fuse concatenation") == 1


def test_files_of_a_read_artifact_need_not_be_there(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    read = read_step(made)
    read.perform([0])
    same = already_read(made, read.artifact())
    assert (same.key, same.missing()) == (read.key, ())
    made.artifacts.discard(read.folder, read.key)
    with pytest.raises(DataError, match=f"artifact {read.key} of reading went away; run again"):
        same.perform([0])


def test_defaults_of_a_choice_are_part_of_its_key() -> None:
    plain, spelled = Choice("gated"), Choice("gated", {"half_support": Gated().half_support})
    one, other = (resolved(choice, registry.fusion(choice)) for choice in (plain, spelled))
    assert one == other
    assert one["use"] == "gated"
    changed = Choice("gated", {"half_support": 9.0})
    assert resolved(changed, registry.fusion(changed)) != one


def test_the_key_of_a_fit_names_its_kinds_and_the_baskets_that_count(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    read = read_step(made)
    events = [Events(read, (), 0), Events(read, ("purchase",), 0), Events(read, (), 2)]
    steps = [behaviour_steps(made, one)["behaviour"] for one in events]
    assert len({step.key for step in steps}) == 3
    assert [step.name for step in steps] == [
        "fit.behaviour",
        "fit.behaviour.purchase",
        "fit.behaviour",
    ]
    assert steps[1].label == "fit co-occurrence-svd to purchase"


def test_item_vectors_are_stored_with_the_fusion_that_made_them(tmp_path: Path) -> None:
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    read = read_step(made)
    read.perform([0])
    events = Events(read, (), 0)
    content = content_steps(made, read, read.artifact().summary["documents"])
    (placement,) = made.recipe.placements
    fuse = fuse_step(made, events, content, behaviour_steps(made, events), placement)
    complete(fuse, made.stopwatch)
    assert [step.name for step in steps_of(fuse)] == [
        *("read", "text-plan.text", "encode.text", "embed.text", "fit.behaviour"),
        "fuse.related",
    ]
    columns = fuse.artifact().columns()
    assert columns[f"{FITTED}gate"].tolist()[:2] == [Gated().text_share, Gated().half_support]
    assert vectors_of(fuse).queries.shape == vectors_of(fuse).targets.shape == (3, 64 + 3)
