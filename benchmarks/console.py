"""Server time of the console's pages over a shop that is live.

    python -m benchmarks.console --config recommender.toml --items 50

Each page is asked for with items drawn at random, after the lists, the text model and what explains
them are loaded. Prints the median and the 95th percentile of each page, and its largest size.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from recommender.cli.session import store_url
from recommender.console.access import Access
from recommender.console.app import create_console
from recommender.console.live_shop import LiveShop, Seen
from recommender.settings.loading import load

LOAD_S = 3600.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--items", default=50, type=int)
    options = parser.parse_args()
    settings = load(options.config)
    with store_url(settings) as url:
        shop = LiveShop(settings, url)
        began = time.perf_counter()
        if not shop.wait(_is_ready, LOAD_S):
            raise SystemExit(f"nothing could be loaded: {shop.seen()}")
        sys.stdout.write(f"loaded in {time.perf_counter() - began:.1f} s\n\n")
        client = TestClient(create_console({shop.name: shop}, Access(link_token="once")))
        client.get("/console/~/enter?token=once")
        for name, paths in _pages(shop, options.items).items():
            _measure(client, name, paths)
        shop.close()


def _is_ready(seen: Seen) -> bool:
    return bool(seen.why_fault) or (seen.loaded is not None and bool(seen.loaded.explainers))


def _pages(shop: LiveShop, n: int) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """What is asked for, by the name of the page."""
    loaded = shop.seen().loaded
    assert loaded is not None
    base, ids, titles = f"/console/{shop.name}", loaded.catalogue.ids.ids, loaded.catalogue.title
    rows = np.random.default_rng(0).integers(len(ids), size=(n, 2)).tolist()
    item, why = f"{base}/item", f"{base}/why"
    return {
        "home": [(f"{base}/", {})] * n,
        "search": [(f"{base}/search", {"q": titles[row][:40] or ids[row]}) for row, _ in rows],
        "item": [(item, {"id": ids[row]}) for row, _ in rows],
        **{
            f"item, {view}": [(item, {"id": ids[row], "view": view}) for row, _ in rows]
            for view in ("listed", "nearest", "query")
        },
        "why": [(why, {"id": ids[row], "other": ids[other]}) for row, other in rows],
        "why, listed": list(_listed_pairs(shop, why, [row for row, _ in rows])),
        "releases": [(f"{base}/releases", {})] * n,
        "operations": [(f"{base}/operations", {})] * n,
    }


def _listed_pairs(
    shop: LiveShop, path: str, rows: list[int]
) -> Iterator[tuple[str, dict[str, str]]]:
    loaded = shop.seen().loaded
    assert loaded is not None
    lists = next(iter(loaded.placements.values())).lists
    for row in rows:
        found = lists.of(row).rows
        if len(found):
            ids = loaded.catalogue.ids.ids
            yield path, {"id": ids[row], "other": ids[int(found[0])]}


def _measure(client: TestClient, name: str, asked: list[tuple[str, dict[str, str]]]) -> None:
    times, largest = [], 0
    for path, query in asked:
        began = time.perf_counter()
        answer = client.get(path, params=query)
        times.append(1000 * (time.perf_counter() - began))
        largest = max(largest, len(answer.content))
        answer.raise_for_status()
    median, p95 = np.quantile(times, (0.5, 0.95))
    sys.stdout.write(f"{name:16} {median:7.1f} ms, p95 {p95:7.1f} ms, {largest / 1000:6.1f} kB\n")


if __name__ == "__main__":
    main()
