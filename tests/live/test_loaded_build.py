"""The live build as a refresh loads it: changed texts, reference vectors, content of items."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.build.contents import catalogue_of
from recommender.build.job import pinned
from recommender.build.steps import complete
from recommender.core.catalogue import Catalogue, documents
from recommender.core.ids import ItemIds
from recommender.live.loaded_build import N_REFERENCE, LoadedBuild
from recommender.live.overlays import OverlayRecord
from recommender.pipeline import read_and_planned
from tests.build.small_jobs import BASKETS, job
from tests.support.shop_files import orders, write_shop


@pytest.fixture
def known(tmp_path: Path) -> Catalogue:
    """The catalogue of the build of three items."""
    write_shop(tmp_path, orders(*BASKETS))
    made = pinned(job(tmp_path))
    planned = read_and_planned(made)
    complete(planned.goal, made.stopwatch)
    return catalogue_of(planned.read.artifact())


def loaded(folder: Path, items: Catalogue) -> LoadedBuild:
    made = pinned(job(folder))
    return LoadedBuild.of(made, read_and_planned(made), OverlayRecord("base"), items)


def retitled(known: Catalogue, item: str, title: str) -> Catalogue:
    """One item of the catalogue with another title."""
    row = known.ids.row(item)
    one = known.drawn(known, np.array([row]))
    return replace(one, title=(title,))


def test_only_other_texts_and_new_items_have_changed(known: Catalogue, tmp_path: Path) -> None:
    same = known.drawn(known, np.array([known.ids.row("b")]))
    assert loaded(tmp_path, same).changed().tolist() == []
    assert loaded(tmp_path, retitled(known, "b", "something else")).changed().tolist() == [0]
    new = Catalogue.of_titles(ItemIds(("z",)), ["quite new"])
    assert loaded(tmp_path, new).changed().tolist() == [0]


def test_new_items_come_behind_those_of_the_build(known: Catalogue, tmp_path: Path) -> None:
    build = loaded(tmp_path, Catalogue.of_titles(ItemIds(("z", "b")), ["new", "renamed"]))
    assert build.before.ids.ids == known.ids.ids
    assert build.catalogue.ids.ids == (*known.ids.ids, "z")
    assert build.catalogue.title[build.catalogue.ids.row("b")] == "renamed"
    assert build.interactions.n_items == len(known) + 1


def test_reference_vectors_are_those_of_the_build(known: Catalogue, tmp_path: Path) -> None:
    build = loaded(tmp_path, Catalogue.of_titles(ItemIds(("z",)), ["new"]))
    reference, texts = build.reference(), documents(known)
    assert 0 < len(reference.texts) <= N_REFERENCE
    assert [len(text) for text in reference.texts] == sorted(map(len, reference.texts))
    matrix = build.content["text"].matrix
    for text, vector in zip(reference.texts, reference.vectors, strict=True):
        assert vector.tobytes() == matrix[texts.index(text)].tobytes()


def test_a_known_text_keeps_its_vector_and_a_changed_one_takes_the_new(
    known: Catalogue, tmp_path: Path
) -> None:
    items = known.drawn(known, np.array([known.ids.row("a"), known.ids.row("b")]))
    items = replace(items, title=(items.title[0], "something else"))
    build = loaded(tmp_path, items)
    width = build.content["text"].matrix.shape[1]
    vector = np.eye(1, width, dtype=np.float32)
    fresh = build.refreshed(build.changed(), {"text": vector})
    rows = fresh.content["text"].matrix
    assert rows[0].tobytes() == build.content["text"].matrix[known.ids.row("a")].tobytes()
    assert rows[1].tobytes() == vector[0].tobytes()
    assert fresh.provisional.tolist() == [False, False]
