"""What every content origin that is no text encoder owes."""

from dataclasses import replace

import numpy as np
import pytest

from recommender import registry
from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.protocols import ContentOrigin
from recommender.core.recipe import Choice
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings
from recommender.errors import ConfigError
from tests.support.clip_model import SHAPES, picture, write_clip_model, write_picture
from tests.support.shops import catalogue

UNKNOWN = "nobody knows this item"


@pytest.fixture(scope="module")
def items() -> Catalogue:
    """Twelve items, and one that no origin knows."""
    known = catalogue(12)
    ids = ItemIds((*known.ids.ids, UNKNOWN))
    images = (*(f"{item}.png" for item in known.ids.ids), "")
    return replace(Catalogue.of_titles(ids, [*known.title, "a title"]), image=images)


@pytest.fixture(scope="module")
def parameters(
    tmp_path_factory: pytest.TempPathFactory, items: Catalogue
) -> dict[str, dict[str, object]]:
    """What origins cannot do without."""
    folder = tmp_path_factory.mktemp("images")
    for row, item in enumerate(items.ids.ids[:-1]):
        write_picture(folder / f"{item}.png", picture((20 * row, 0, 0), SHAPES[row % len(SHAPES)]))
    model = write_clip_model(tmp_path_factory.mktemp("clip"))
    path = tmp_path_factory.mktemp("vectors") / "image.csv"
    rows = (f"{item},{row % 3 - 1},{row + 1},2" for row, item in enumerate(items.ids.ids[:-1]))
    path.write_text("\n".join(["item,a,b,c", *rows]) + "\n")
    return {
        "vectors": {"path": str(path)},
        "images": {"model": str(model), "folder": str(folder)},
    }


@pytest.fixture(scope="module", params=sorted(registry.CONTENT_ORIGINS))
def origin(
    request: pytest.FixtureRequest, parameters: dict[str, dict[str, object]]
) -> ContentOrigin:
    return registry.content_origin(Choice(request.param, parameters.get(request.param, {})))


@pytest.fixture(scope="module")
def embedded(origin: ContentOrigin, items: Catalogue) -> Embeddings:
    return origin.embed(items, silent)


def test_unit_rows_in_float32(embedded: Embeddings, items: Catalogue) -> None:
    assert embedded.matrix.dtype == embedded.support.dtype == np.float32
    assert np.linalg.norm(embedded.matrix, axis=1) == pytest.approx([1.0] * 12 + [0.0], abs=1e-6)


def test_an_unknown_item_has_no_support(embedded: Embeddings) -> None:
    assert (embedded.support > 0).tolist() == [True] * 12 + [False]


def test_content_has_no_targets_of_its_own(embedded: Embeddings) -> None:
    assert embedded.targets is None


def test_again_gives_the_same(
    origin: ContentOrigin, items: Catalogue, embedded: Embeddings
) -> None:
    assert origin.embed(items, silent).matrix.tobytes() == embedded.matrix.tobytes()


def test_some_items_alone_are_what_they_are_among_others(
    origin: ContentOrigin, items: Catalogue, embedded: Embeddings
) -> None:
    rows = np.array([3, 12, 0])
    some = origin.embed(items.drawn(items, rows), silent)
    assert (some.matrix == embedded.matrix[rows]).all()


def test_fingerprint_is_stable_text(origin: ContentOrigin) -> None:
    assert origin.fingerprint() == origin.fingerprint()
    assert len(origin.fingerprint()) > 8


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("vectors", {}),
        ("vectors", {"path": "image.txt"}),
        ("vectors", {"path": "image.csv", "vectors": "v"}),
        ("images", {"model": ""}),
        ("images", {"pixels_max": 0}),
        ("images", {"beside": "folder"}),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=name):
        registry.content_origin(Choice(name, parameters))
