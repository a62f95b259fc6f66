"""`recommender search`."""

import argparse
from collections.abc import Sequence

from recommender.cli.arguments import COUNT, JSON, UsageError, argument, command, flag
from recommender.cli.lookup import RANKED, require_positive
from recommender.cli.session import connection, require_live, settings_of
from recommender.cli.terminal import console, print_json, table, waiting
from recommender.errors import ConfigError
from recommender.insights.search import Filters, Hit, checked, searcher_of
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher


@command(
    "search",
    "Find items of the live generation whose texts fit a few words.",
    argument("query", "words to search for", nargs="+", metavar="WORD"),
    COUNT,
    argument("--category", "only items of this category", default="", metavar="PATH"),
    flag("--in-stock", "only items that are in stock"),
    argument(
        "--price-max",
        "only items up to this price",
        type=float,
        default=float("inf"),
        metavar="PRICE",
    ),
    JSON,
)
def _search(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    try:
        query = checked(" ".join(options.query))
    except ConfigError as error:
        raise UsageError(f"search: {error}") from error
    if not query.strip():
        raise UsageError("search: the query is blank; give a few words")
    require_positive(options.n)
    with connection(settings) as store:
        live = require_live(Publisher(store, settings.shop))
        withheld = Hidden(store, settings.shop).withheld()
    filters = Filters(options.category, options.in_stock, options.price_max, withheld)
    api = settings.text_api.text_api()
    with waiting("loading the text model"):
        searcher = searcher_of(settings.artifact_store(), live.id, api)
    hits = searcher.find(query, options.n, filters)
    if options.json:
        items = [
            {"id": hit.item, "score": hit.score, "fit": hit.fit, "title": hit.title} for hit in hits
        ]
        found = {"shop": settings.shop, "query": query, "generation": live.id, "items": items}
        print_json(found)
    else:
        _print_hits(query, hits)
    return 0


def _print_hits(query: str, hits: Sequence[Hit]) -> None:
    if not hits:
        console().print(f"Nothing fits {query!r}.")
        return
    rows = [
        (str(rank), hit.item, hit.title, f"{hit.score:.3f}", hit.fit)
        for rank, hit in enumerate(hits, 1)
    ]
    console().print(table([*RANKED, "by"], rows))
