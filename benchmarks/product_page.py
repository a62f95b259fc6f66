"""A product page with six lists in one call: its round trips, bytes and time.

    recommender reindex --config config/examples/product_page.toml
    python -m benchmarks.product_page [--config FILE] [--items ID...] [--json]

The page has four entries a list, with records. The figures of the answer are those of the first
item. Times are of pages of several items in turn, by a reader that keeps no lists and no records.
"""

import argparse
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.machine import Row, report
from benchmarks.timing import quantile, timed
from recommender.cli.session import store_url
from recommender.service.responses import with_token, without_token
from recommender.serving.connection import Store, open_store
from recommender.serving.lookup import RelatedItems
from recommender.settings.loading import load

EXAMPLE, SHOWN, CALLS = Path("config/examples/product_page.toml"), 4, 500
ITEMS = ["1098066", "7152455", "866140", "985427"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="A product page in one call.")
    parser.add_argument("--config", type=Path, default=EXAMPLE)
    parser.add_argument("--set", action="append", default=[], dest="assignments")
    parser.add_argument("--items", nargs="+", default=ITEMS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = load(options.config, options.assignments)
    with store_url(settings) as url:
        rows = page_rows(url, settings.shop, options.items, list(settings.placements))
    report(rows, as_json=options.json)


def page_rows(url: str, shop: str, items: list[str], placements: list[str]) -> list[Row]:
    """Round trips, bytes and time of one page."""
    with closing(RelatedItems(url, shop, deadline_s=5.0, cache_items=1)) as lookup:
        lookup.wait_ready(5.0)
        asks = [partial(lookup.page, item, placements, SHOWN, records=True) for item in items]
        page = asks[0]()
        if not any(one.ids for one in page):
            raise SystemExit(f"shop {shop}: nothing is live; run recommender reindex first")
        with open_store(url) as store:
            before = counted(store, lookup)
            times = timed(asks * (CALLS // len(asks)))
            sent, reads = (
                now - then for now, then in zip(counted(store, lookup), before, strict=True)
            )
    answer = f'{{"lists":[{",".join([with_token(without_token(one), one) for one in page])}]}}'
    shown = [entry for one in page for entry in one.ids]
    return [
        Row("lists, and entries shown", float(len(page)), "lists", float(len(shown))),
        Row("different entries", float(len(set(shown))), "entries"),
        Row("commands a page", reads / CALLS, "commands"),
        Row("bytes that the store sends a page", sent / CALLS, "bytes"),
        Row("bytes of the answer", float(len(answer)), "bytes"),
        Row("time, p50", quantile(times, 0.5) / 1000, "ms"),
        Row("time, p99", quantile(times, 0.99) / 1000, "ms"),
    ]


def counted(store: Store, lookup: RelatedItems) -> tuple[int, int]:
    """Bytes that the store has sent, and reads of lists and records: MGETs that are no polls."""
    sent = int(store.info("stats")["total_net_output_bytes"])
    commands = int(store.info("commandstats")["cmdstat_mget"]["calls"])
    return sent, commands - lookup.stats()["polls"]


if __name__ == "__main__":
    main()
