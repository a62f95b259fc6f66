"""Auto: which index it chooses, and that it restores the one it chose."""

from typing import Any

import pytest

from recommender.errors import ConfigError
from recommender.vectors.index.exact import Exact
from recommender.vectors.index.ivf import Auto, Instead, InvertedFile
from tests.support.clustered_vectors import clustered

TARGETS = clustered(3000)
EXACT, INVERTED = (type(builder.build(TARGETS)) for builder in (Exact(), InvertedFile()))


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"exact_up_to": 3000}, EXACT),
        ({"exact_up_to": 2999, "probed_most": 1.0}, INVERTED),
        ({"exact_up_to": 2999, "probed_most": 0.0}, Instead),
    ],
    ids=["few items", "many items", "many cells to probe"],
)
def test_the_index_suits_the_items_and_is_restored_as_it_was(
    parameters: dict[str, Any], kind: type
) -> None:
    built = Auto(**parameters).build(TARGETS)
    assert type(built) is kind
    assert type(Auto(**parameters).restore(TARGETS, built.columns())) is kind


def test_what_replaces_an_inverted_file_is_exact() -> None:
    queries = clustered(50, seed=1)
    instead = Auto(exact_up_to=0, probed_most=0.0).build(TARGETS)
    assert (
        instead.search(queries, 20).rows == Exact().build(TARGETS).search(queries, 20).rows
    ).all()
    assert float(instead.columns()["recall"]) == 1.0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"exact_up_to": -1}, "auto: exact_up_to = -1 is below 0"),
        ({"probed_most": 1.5}, r"auto: probed_most = 1.5 is not in 0\.\.1"),
    ],
)
def test_parameters_out_of_range(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Auto(**parameters)
