"""Several content origins in one recipe, from their files to the lists."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recommender.build.contents import find_build, read_lists
from recommender.build.job import Job, pinned
from recommender.core.vectors import Embeddings, joined_content
from recommender.errors import ConfigError, DataError
from recommender.pipeline import content_embeddings, plan, read_shop_columns
from recommender.settings.loading import load
from tests.support.builds import make
from tests.support.shop_files import write_small_shop

IMAGE = "recipe.content.image={use='vectors', path='image.csv'}"
PLACEMENTS = (
    "recipe.placements=["
    "{name='related', fusion='gated', candidates=['nearest', 'text-back-off'], ranker='identity'},"
    " {name='weighted', fusion={use='concatenation', weights={text=1.0, image=3.0}},"
    " candidates=['nearest', 'by-category'], ranker='identity', filters=['not-alike']},"
    " {name='learned', fusion={use='learned', steps=2}, ranker={use='learned', trees=2}}]"
)


def write_vectors(folder: Path, items: tuple[str, ...], without: int = 3) -> None:
    """Vectors of three dimensions for all items but the last few."""
    draw = np.random.default_rng(0)
    rows = [
        ",".join([item, *map(str, draw.normal(size=3))]) for item in items[: len(items) - without]
    ]
    (folder / "image.csv").write_text("\n".join(["item,x,y,z", *rows]) + "\n")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    config = write_small_shop(tmp_path)
    _, catalogue, _ = read_shop_columns(load(config).job())
    write_vectors(tmp_path, catalogue.ids.ids)
    return load(config, [IMAGE, PLACEMENTS]).job()


def again(job: Job) -> Job:
    return dataclasses.replace(job, stopwatch=type(job.stopwatch)())


def test_all_placements_are_made_of_all_origins(job: Job) -> None:
    build, lists = make(job)
    assert [len(one) for one in lists()] == [build.summary["n_items"]] * 3
    assert build.summary["report"]["without_vector"] == {"image": 3}
    planned = plan(pinned(job))
    assert planned.makes(build.key)
    for name in ("related", "weighted", "learned"):
        inputs = planned.placement(build.key, name).inputs
        assert list(inputs.content) == ["text", "image"]
        assert list(inputs.behaviour) == ["behaviour"]
    _, context = planned.placement(build.key, "related").inputs.chooser()
    assert context.origins.joined().matrix.shape[1] == 64 + 3
    assert context.vectors.queries.shape[1] == 64 + 3 + 16


def test_an_unchanged_file_makes_nothing_and_a_changed_one_does(job: Job) -> None:
    make(job)
    unchanged = again(job)
    make(unchanged)
    assert all(cost.reused for cost in unchanged.stopwatch.costs if cost.stage != "check inputs")
    path = Path(job.recipe.content["image"].parameters["path"])
    path.write_text(path.read_text().replace("item,x", "item,a"))
    changed = again(job)
    make(changed)
    made = {cost.stage for cost in changed.stopwatch.costs if not cost.reused}
    assert {"embed image", "find near content", "fuse gated"} <= made
    assert not made & {"embed text", "read", "fit co-occurrence-svd"}


def test_a_file_that_is_replaced_meanwhile_ends_the_run(job: Job) -> None:
    begun = pinned(job)
    path = Path(job.recipe.content["image"].parameters["path"])
    path.write_text(path.read_text() + "another,1,2,3\n")
    with pytest.raises(DataError, match=r"content\.image: replaced since the run"):
        make(begun)


def test_embeddings_are_given_by_the_name_of_their_origin(job: Job) -> None:
    read, catalogue, _ = read_shop_columns(job)
    found = content_embeddings(job, read)
    assert {name: one.matrix.shape for name, one in found.items()} == {
        "text": (len(catalogue), 64),
        "image": (len(catalogue), 3),
    }
    assert [cost.stage for cost in job.stopwatch.costs].count("read") == 1


def test_a_recipe_may_have_no_text_at_all(job: Job) -> None:
    only = {"image": job.recipe.content["image"]}
    recipe = dataclasses.replace(job.recipe.only(["related"]), content=only)
    build, _ = make(dataclasses.replace(job, recipe=recipe))
    lists = read_lists(job.artifacts, find_build(job.artifacts, build.key), "related")
    assert len(lists.entries.rows)


def test_two_text_encoders_have_shards_of_their_own(job: Job) -> None:
    text = job.recipe.content["text"]
    wide = dataclasses.replace(text, parameters={"dimensions": 32})
    recipe = dataclasses.replace(job.recipe.only(["related"]), content={"text": text, "wide": wide})
    job = pinned(dataclasses.replace(job, recipe=recipe))
    make(job)
    shards = job.artifacts.storage.names(f"{job.shop}/text-shard")
    shapes = {
        job.artifacts.require("text-shard", key).columns("matrix")["matrix"].shape[1]
        for key in shards
    }
    assert shapes == {32, 64}


def test_names_of_content_and_behaviour_differ(job: Job) -> None:
    with pytest.raises(ConfigError, match=r"interactions.image: a content origin has that name"):
        dataclasses.replace(job.recipe, interactions={"image": job.recipe.content["text"]})


def test_joined_rows_have_length_one_whatever_is_missing() -> None:
    known = np.array([1, 1, 0, 0], dtype=np.float32)
    one = Embeddings(np.array([[1, 0], [0, 1], [0, 0], [0, 0]], np.float32), known)
    other = Embeddings(np.array([[1.0], [0], [1], [0]], np.float32), np.array([3, 0, 3, 0.0], "f4"))
    joined = joined_content({"a": one, "b": other})
    half = np.float32(np.sqrt(0.5))
    assert joined.matrix == pytest.approx(
        np.array([[half, 0, half], [0, 1, 0], [0, 0, 1], [0, 0, 0]]), abs=1e-6
    )
    assert joined.support.tolist() == [4, 1, 3, 0]
    assert joined_content({"a": one}) is one
