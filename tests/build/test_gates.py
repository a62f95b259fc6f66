from pathlib import Path

import numpy as np
import pytest

from recommender.build.gates import Gates, golden_faults, golden_pairs
from recommender.core.generation import Measures
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, NamedLists, RelatedLists
from recommender.errors import DataError

LIVE = Measures(1000, 9000, 36_000, 1.0, 0.8, 0.2)


def like_live(**changes: float) -> Measures:
    figures = {name: getattr(LIVE, name) for name in Measures.__slots__} | changes
    return Measures(**figures)


def lists() -> dict[str, NamedLists]:
    """Three items: a has b and c, b has a, c has nothing."""
    made = RelatedLists(
        "related",
        np.array([0, 2, 3, 3]),
        Entries(
            np.array([1, 2, 0], dtype=np.int32),
            np.array([0.9, 0.8, 0.7], dtype=np.float32),
            np.zeros(3, dtype=np.uint8),
        ),
    )
    return {"related": NamedLists(ItemIds(("a", "b", "c")), made)}


def test_first_build_and_like_sized_builds_pass() -> None:
    assert Gates().faults(Measures(3, 9, 6, 1.0, 1.0)) == ()
    assert Gates().faults(like_live(n_items=500, filled_share=0.5, coverage=0.4), LIVE, 0.2) == ()
    assert Gates().faults(Measures(1, 1, 0, 0.0, 0.0)) == ()


@pytest.mark.fault(39)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n_items": 499}, "499 items, the live generation has 1,000 and gates.items_share_min"),
        ({"n_events": 4499}, "4,499 interactions, the live generation has 9,000"),
        ({"n_entries": 17_500}, "17.5 entries a list, the live generation has 36.0"),
        ({"filled_share": 0.49}, "only 49% of the lists have an entry"),
        ({"coverage": 0.39}, "39% of the items are in a list"),
    ],
)
def test_each_figure_holds(change: dict[str, float], said: str) -> None:
    (reason,) = Gates().faults(like_live(**change), LIVE, 1.0)
    assert said in reason


def test_overlap_and_metric() -> None:
    (reason,) = Gates().faults(LIVE, LIVE, 0.19)
    assert "only 19% of the first ten entries are those of the live lists" in reason
    worse = like_live(ndcg=0.18)
    assert Gates().faults(worse, LIVE, 1.0) == ()
    (reason,) = Gates(ndcg_drop_max=0.05).faults(worse, LIVE, 1.0)
    assert "offline NDCG@10 is 0.1800, the live generation's 0.2000" in reason
    assert Gates(ndcg_drop_max=0.15).faults(worse, LIVE, 1.0) == ()


def test_shares_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"overlap_min = 2 is not in 0\.\.1"):
        Gates(overlap_min=2)


def golden(folder: Path, text: str) -> str:
    path = folder / "golden.csv"
    path.write_text(text)
    return str(path)


def test_golden_pairs(tmp_path: Path) -> None:
    text = "item,related,expected,placement\na,b,must,\nb,c,never,related\nc,a,never,\nx,a,never,\n"
    assert golden_faults(golden_pairs(golden(tmp_path, text)), lists()) == ()
    text = "item,related,expected\nb,c,must\na,b,never\na,x,must\nc,a,must\n"
    (reason,) = golden_faults(golden_pairs(golden(tmp_path, text)), lists())
    assert "line 2: 'c' does not stand in the related list of 'b'" in reason
    assert "line 3: 'b' stands in the related list of 'a'" in reason
    assert "line 4: item 'x' is not in the catalogue and 1 more" in reason
    text = "item,related,expected,placement\na,b,must,sidebar\n"
    (reason,) = golden_faults(golden_pairs(golden(tmp_path, text)), lists())
    assert "there is no placement 'sidebar'" in reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item,related\na,b\n", "needs the columns item, related, expected"),
        ("item,related,expected\na,b,may\n", "line 2: expected 'may' is not must or never"),
        ("item,related,expected\na,b,must\n,b,must\n", "line 3: give item, related"),
        ("item,related,expected\na,b,must,x\n", "line 2: give item, related"),
        ("item,related,expected\na,b\n", "line 2: expected '' is not"),
    ],
)
def test_bad_golden_rows_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match="golden") as caught:
        golden_pairs(golden(tmp_path, text))
    assert said in str(caught.value)


def test_no_golden_file() -> None:
    assert golden_pairs("") == []
    with pytest.raises(DataError, match="cannot be read"):
        golden_pairs("/nowhere/golden.csv")
