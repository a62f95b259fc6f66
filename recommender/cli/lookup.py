"""`recommender related` and `search`."""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing

from recommender.build.contents import find_build, read_catalogue
from recommender.cli.arguments import COUNT, JSON, PLACEMENT, argument, command, flag, number
from recommender.cli.session import (
    connection,
    require_live,
    settings_of,
    store_url,
)
from recommender.cli.terminal import console, print_json, right, table
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.related import RelatedList
from recommender.errors import ArtifactError, ConfigError, DataError, StoreUnavailable
from recommender.insights.search import Filters, Hit, checked, searcher_of
from recommender.live.overlays import combined_catalogue, live_record
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.expressions import ExpressionError
from recommender.serving.fields_query import FieldsOptions
from recommender.serving.lookup import RelatedItems
from recommender.settings.model import Settings

DEADLINE_S = 10.0
RANKED = [*right("#"), "item", "title", *right("score")]


@command(
    "related",
    "Show the related items of an item, or one list for several such as a basket, as a storefront "
    "gets them.",
    argument("items", "item ids, exactly as in the catalogue", nargs="+", metavar="ITEM"),
    COUNT,
    PLACEMENT,
    number("--decay", 1.0, "each of several items counts this much of the one before", None),
    argument(
        "--where",
        "only items that meet a condition, such as 'price <= 1.5 * seed.price and stock > 0'",
        default="",
        metavar="CONDITION",
    ),
    argument(
        "--boost",
        "weigh items by a number, such as an attribute 'margin'",
        default="",
        metavar="EXPRESSION",
    ),
    argument("--store", "the store or region whose stock counts", default="", metavar="NAME"),
    JSON,
)
def _related(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    placement = _placement(settings, options.placement)
    _require_positive(options.n)
    if not 0 < options.decay <= 1:
        raise ConfigError(f"--decay {options.decay}: use a number above 0 and at most 1")
    if options.decay != 1 and len(options.items) == 1:
        raise ConfigError("--decay: weighs several items; name more than one")
    try:
        show_related(
            *(settings, options.items, options.n),
            placement=placement,
            decay=options.decay,
            fields={"where": options.where, "boost": options.boost, "store": options.store},
            as_json=options.json,
        )
    except ExpressionError as error:
        raise ConfigError(f"--where or --boost: {error}") from error
    return 0


def show_related(  # noqa: PLR0913 - all but three have defaults
    settings: Settings,
    items: Sequence[str],
    n: int,
    *,
    placement: str = "",
    decay: float = 1.0,
    fields: FieldsOptions | None = None,
    as_json: bool = False,
) -> None:
    """Print the n related items of an item, or of several together, with their titles.

    Raises: DataError if nothing is published or the item is unknown; StoreUnavailable.
    """
    placement = placement or _placement(settings, "")
    answer, layers = _look_up(settings, items, placement, n, decay, fields or {})
    catalogue, provisional = _refreshed_catalogue(settings, layers)
    titles = _titles(catalogue, answer)
    if as_json:
        print_json(_plain(settings.shop, answer, titles, provisional))
    if answer.status == "unknown_item":
        raise DataError(unknown_item(items[0], answer.generation, catalogue))
    if not as_json:
        _print_related(answer, items, titles, provisional)


def _look_up(
    settings: Settings,
    items: Sequence[str],
    placement: str,
    n: int,
    decay: float,
    fields: FieldsOptions,
) -> tuple[RelatedList, tuple[Generation, ...]]:
    """The answer, and the generations that lookups read, newest first."""
    with store_url(settings) as url:
        with open_store(url) as store:
            publisher = Publisher(store, settings.shop)
            require_live(publisher)
            _, layers = publisher.layers()
        with closing(RelatedItems(url, settings.shop, deadline_s=DEADLINE_S)) as lookup:
            if len(items) == 1:
                answer = lookup.get(items[0], placement, n, **fields)
            else:
                answer = lookup.for_items(items, placement, n, decay=decay, **fields)
    if answer.status in {"stale", "fallback", "degraded"}:
        raise StoreUnavailable(f"the lookup of {items[0]!r:.80} failed; run recommender doctor")
    if answer.status == "unknown_placement":
        raise DataError(
            f"the live generation {layers[-1].id} has no placement {placement!r}; "
            "run recommender reindex"
        )
    return answer, layers


def _placement(settings: Settings, given: str) -> str:
    names = [slot.name for slot in settings.recipe.placements]
    if given and given not in names:
        raise ConfigError(f"--placement {given!r}: the recipe has {', '.join(names)}")
    return given or names[0]


def _require_positive(n: int) -> None:
    if n < 1:
        raise ConfigError(f"-n {n}: ask for at least 1")


def _refreshed_catalogue(
    settings: Settings, layers: Sequence[Generation]
) -> tuple[Catalogue | None, frozenset[str]]:
    """The catalogue with the items refreshed since the build, and the provisional items."""
    artifacts = settings.artifact_store()
    try:
        record = live_record(artifacts, layers)
        base = read_catalogue(artifacts, find_build(artifacts, record.base))
        return combined_catalogue(base, record), record.provisional
    except ArtifactError as error:
        sys.stderr.write(f"recommender: no titles: {error}\n")
        return None, frozenset()


def _titles(catalogue: Catalogue | None, answer: RelatedList) -> dict[str, str]:
    if catalogue is None:
        return {}
    known = [item for item in (answer.item, *answer.ids) if item in catalogue.ids]
    return {item: catalogue.title[catalogue.ids.row(item)] for item in known}


def unknown_item(item: str, generation: int, catalogue: Catalogue | None) -> str:
    """The message that an item is unknown, with the most similar id."""
    hint = ""
    if catalogue is not None:
        same = [known for known in catalogue.ids if known.casefold() == item.casefold()]
        near = same or difflib.get_close_matches(item, catalogue.ids.ids, n=1, cutoff=0.75)
        hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"item {item!r:.80} is not in the live generation {generation}{hint}"


def _plain(
    shop: str, answer: RelatedList, titles: Mapping[str, str], provisional: frozenset[str]
) -> dict[str, object]:
    return {
        "shop": shop,
        "item": answer.item,
        "placement": answer.placement,
        "generation": answer.generation,
        "status": answer.status,
        "provisional": answer.item in provisional,
        "dropped": dict(answer.dropped),
        "items": [
            {
                "id": entry.id,
                "score": entry.score,
                "evidence": entry.evidence,
                "provisional": entry.id in provisional,
                "title": titles.get(entry.id, ""),
            }
            for entry in answer.items
        ],
    }


def _print_related(
    answer: RelatedList,
    items: Sequence[str],
    titles: Mapping[str, str],
    provisional: frozenset[str],
) -> None:
    shown = console()
    title = titles.get(answer.item, "")
    mark = "  (provisional)" if answer.item in provisional else ""
    shown.print(f"{answer.placement}: {' + '.join(items)}  {title}{mark}", soft_wrap=False)
    rows = [
        (
            str(rank),
            entry.id,
            titles.get(entry.id, ""),
            f"{entry.score:.3f}",
            f"{entry.evidence}, provisional" if entry.id in provisional else entry.evidence,
        )
        for rank, entry in enumerate(answer.items, 1)
    ]
    shown.print(table([*RANKED, "evidence"], rows))
    if not rows:
        shown.print("No related items.")
    for clause, count in answer.dropped.items():
        shown.print(f"{count} dropped by: {clause}", markup=False, highlight=False)


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
    query = checked(" ".join(options.query))
    if not query.strip():
        raise ConfigError("search: the query is blank; give a few words")
    _require_positive(options.n)
    with connection(settings) as store:
        live = require_live(Publisher(store, settings.shop))
        withheld = Hidden(store, settings.shop).withheld()
    filters = Filters(options.category, options.in_stock, options.price_max, withheld)
    api = settings.text_api.text_api()
    hits = searcher_of(settings.artifact_store(), live.id, api).find(query, options.n, filters)
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
