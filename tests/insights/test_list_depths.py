import json
from pathlib import Path

import pytest

from recommender.errors import ConfigError, DataError
from recommender.insights.list_depths import counters_of, proposals
from recommender.service.metrics import ServiceMetrics
from recommender.serving.filter_counts import Filtered
from recommender.settings.loading import load
from recommender.settings.model import Settings


def settings_of(folder: Path, text: str = "") -> Settings:
    path = folder / "shop.toml"
    path.write_text(f'shop = "acme"\n[interactions]\npath = "orders.csv"\n{text}')
    return load(path)


def counted(*shares: tuple[float, int]) -> dict[str, int]:
    """Counters of lookups after so many answers of each share that was dropped of 40 entries."""
    found: dict[str, int] = {}
    for share, times in shares:
        for name, count in Filtered("related", 40, round(40 * share), share > 0.7).counts().items():
            found[name] = found.get(name, 0) + count * times
    return found


@pytest.mark.parametrize(
    ("shares", "proposed"),
    [
        ([(0.0, 99)], 36),  # too few
        ([(0.8, 99), (0.0, 1)], 60),  # 12 / (1 - 0.8)
        ([(0.9, 5), (0.2, 95)], 36),  # of 95 % at most 20 %, and the recipe has 36
        ([(0.9, 6), (0.2, 94)], 120),
        ([(1.0, 100)], 240),
    ],
)
def test_lists_are_deep_enough_for_most_answers(
    shares: list[tuple[float, int]], proposed: int, tmp_path: Path
) -> None:
    related, following = proposals(settings_of(tmp_path), counted(*shares))
    assert (related.depth, related.proposed) == (36, proposed)
    assert (following.answers, following.proposed) == (0, 36)


def test_a_depth_that_is_set_may_fall_again_to_that_of_the_recipe(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[placements.related]\ndepth = 120\n")
    assert settings.job().recipe.placements[0].depth == 120
    related, _ = proposals(settings, counted((0.5, 200)))
    assert (related.depth, related.proposed, related.mean) == (120, 36, 0.5)
    assert proposals(settings, {})[0].proposed == 120


def test_counters_of_processes_are_added(tmp_path: Path) -> None:
    stats = counted((0.5, 60))
    metrics = ServiceMetrics({"acme": lambda: stats, "other": lambda: {"reads": 1}})
    (tmp_path / "metrics.txt").write_bytes(metrics.exposition())
    (tmp_path / "stats.json").write_text(json.dumps(stats))
    files = [tmp_path / "metrics.txt", tmp_path / "stats.json"]
    assert counters_of(files, "acme") == {name: 2 * count for name, count in stats.items()}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no counters of shop acme"), ("{", "metrics.txt: Expecting"), ("a b c d", "metrics.txt")],
)
def test_what_holds_no_counters_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=reason):
        counters_of([path], "acme")
    with pytest.raises(ConfigError, match="cannot be read"):
        counters_of([tmp_path / "nowhere"], "acme")
