"""What a reindex prints of its run."""

import pytest

from recommender.cli.run_report import print_run
from recommender.cli.terminal import console

REPORT = {
    "files": [{"name": "a.csv", "rows": 9, "kept": 9, "left_out": {}, "refused": {}}],
    **{name: 0 for name in ("cold_items", "absent_from_catalogue", "duplicate_ids", "shortened")},
    **{"n_items": 3, "out_of_scope": 0, "too_old": 0},
}


def test_what_orders_the_lists_is_named_with_the_gain_of_the_trees(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"together": False, "order": "EASE", "best_simple": "EASE", "held_out": 1_200}
    rankers = {"next": found | {"trees_gain": -0.03}, "related": {}}
    print_run(console(), REPORT | {"rankers": rankers}, ())
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["next", "next", "EASE", "-3.0%", "on", "EASE", "1,200"] in lines
    assert [
        "related",
        "together",
        "item",
        "vectors",
        "too",
        "little",
        "to",
        "learn",
        "from",
        "0",
    ] in lines
