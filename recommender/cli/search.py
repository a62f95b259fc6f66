"""`recommender search QUERY`."""

import argparse
import json
import sys
from collections.abc import Sequence

from recommender.cli.session import connection, settings_of
from recommender.cli.terminal import console, table
from recommender.errors import ConfigError, DataError
from recommender.insights.search import Filters, Hit, checked, searcher_of
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher


def run(options: argparse.Namespace) -> int:
    """Search the live generation, and show what fits."""
    settings = settings_of(options)
    query = checked(" ".join(options.query))
    if not query.strip():
        raise ConfigError("search: the query is blank; give a few words")
    if options.n < 1:
        raise ConfigError(f"-n {options.n}: ask for at least 1")
    with connection(settings) as store:
        live = Publisher(store, settings.shop).live()
        hidden = Hidden(store, settings.shop).hidden()
    if live is None:
        raise DataError(
            f"nothing is published for shop {settings.shop} yet; run recommender reindex"
        )
    filters = Filters(options.category, options.in_stock, options.price_max, hidden)
    api = settings.text_api.text_api()
    hits = searcher_of(settings.artifact_store(), live.id, api).find(query, options.n, filters)
    if options.json:
        _print_json(settings.shop, query, live.id, hits)
    else:
        _print_table(query, hits)
    return 0


def _print_json(shop: str, query: str, generation: int, hits: Sequence[Hit]) -> None:
    items = [
        {"id": hit.item, "score": hit.score, "fit": hit.fit, "title": hit.title} for hit in hits
    ]
    content = {"shop": shop, "query": query, "generation": generation, "items": items}
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")


def _print_table(query: str, hits: Sequence[Hit]) -> None:
    shown = console()
    if not hits:
        shown.print(f"Nothing fits {query!r}.", markup=False)
        return
    headings = [
        ("#", "right"),
        ("item", "left"),
        ("title", "left"),
        ("score", "right"),
        ("by", "left"),
    ]
    rows = [
        (str(rank), hit.item, hit.title, f"{hit.score:.3f}", hit.fit)
        for rank, hit in enumerate(hits, 1)
    ]
    shown.print(table(headings, rows))
