"""`recommender related`."""

import argparse
import difflib
import math
import sys
from collections.abc import Mapping, Sequence

from recommender.build.contents import find_build, read_catalogue
from recommender.cli.arguments import COUNT, JSON, PLACEMENT, UsageError, argument, command, flag
from recommender.cli.page import show_bundle, show_page
from recommender.cli.session import UNREAD, asked, settings_of
from recommender.cli.terminal import console, print_json, right, table
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.related import RelatedList
from recommender.errors import ArtifactError, ConfigError, DataError, StoreUnavailable
from recommender.live.overlays import combined_catalogue, live_record
from recommender.serving.expressions import ExpressionError
from recommender.serving.fields_query import FieldsOptions
from recommender.serving.lookup import RelatedItems
from recommender.serving.sessions import Event
from recommender.settings.model import Settings

RANKED = [*right("#"), "item", ("title", "cut"), *right("score")]


@command(
    "related",
    "Show the related items of an item, or one list for several such as a basket, as a storefront "
    "gets them.",
    argument("items", "item ids, exactly as in the catalogue", nargs="*", metavar="ITEM"),
    argument(
        "--event",
        "an event of a session in place of an item: what was done with it, and how many seconds "
        "ago (repeatable)",
        nargs=3,
        action="append",
        default=[],
        metavar=("ITEM", "KIND", "AGE"),
    ),
    COUNT,
    PLACEMENT,
    argument(
        "--page", "several placements of an item as one page shows them", nargs="+", metavar="NAME"
    ),
    flag("--bundle", "the item with two or three that are bought with it, and their price"),
    argument(
        "--decay",
        "each of several items counts this much of the one before (default 1, for events the "
        "setting storefront.decay)",
        type=float,
        metavar="SHARE",
    ),
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
    argument(
        "--language",
        "languages of the titles of pages and bundles, such as 'de-AT, en;q=0.5'",
        default="",
        metavar="TAGS",
    ),
    JSON,
)
def _related(options: argparse.Namespace) -> int:
    given = _given(options)
    settings = settings_of(options)
    require_positive(options.n)
    fields: FieldsOptions = {
        **{"where": options.where, "boost": options.boost, "store": options.store},
        "language": options.language,
    }
    try:
        if options.page:
            names = [_placement(settings, name) for name in options.page]
            show_page(settings, options.items[0], names, options.n, fields, as_json=options.json)
        elif options.bundle:
            show_bundle(settings, options.items[0], options.placement, fields, as_json=options.json)
        else:
            show_related(
                *(settings, given, options.n),
                placement=_placement(settings, options.placement),
                decay=options.decay,
                fields=fields,
                as_json=options.json,
            )
    except ExpressionError as error:
        raise UsageError(f"--where or --boost: {error}") from error
    return 0


def _given(options: argparse.Namespace) -> list[str] | list[Event]:
    """The items or events that are asked for. Raises: UsageError."""
    if bool(options.items) == bool(options.event):
        raise UsageError("related: name items, or else events with --event")
    if (options.page or options.bundle) and len(options.items) != 1:
        raise UsageError("--page, --bundle: name one item")
    if options.page and options.bundle:
        raise UsageError("--page, --bundle: ask for one of them")
    decay = options.decay
    if decay is not None and not 0 < decay <= 1:
        raise UsageError(f"--decay {decay}: use a number above 0 and at most 1")
    if decay not in {None, 1} and len(options.items) == 1:
        raise UsageError("--decay: weighs several items; name more than one")
    return [_event(*event) for event in options.event] or list(options.items)


def _event(item: str, kind: str, age: str) -> Event:
    try:
        event = Event(item, kind, float(age))
    except ValueError:
        event = Event(item, kind, math.nan)
    if not 0 <= (event.age or 0) < math.inf:
        raise UsageError(f"--event {item!r:.60} {kind!r:.40} {age!r:.40}: give a number of seconds")
    return event


def show_related(  # noqa: PLR0913 - all but three have defaults
    settings: Settings,
    items: Sequence[str] | Sequence[Event],
    n: int,
    *,
    placement: str = "",
    decay: float | None = None,
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
    names = [one.item if isinstance(one, Event) else one for one in items]
    if as_json:
        print_json(_plain(settings.shop, answer, titles, provisional))
    if answer.status == "unknown_item":
        raise DataError(unknown_item(names[0], answer.generation, catalogue))
    if not as_json:
        _print_related(answer, names, titles, provisional)


def _look_up(
    settings: Settings,
    items: Sequence[str] | Sequence[Event],
    placement: str,
    n: int,
    decay: float | None,
    fields: FieldsOptions,
) -> tuple[RelatedList, tuple[Generation, ...]]:
    """The answer, and the generations that lookups read, newest first."""

    def answered(lookup: RelatedItems) -> RelatedList:
        match items:
            case [str(item)]:
                return lookup.get(item, placement, n, **fields)
        return lookup.for_items(items, placement, n, decay=decay, **fields)

    answer, layers = asked(settings, answered)
    if answer.status in UNREAD:
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


def require_positive(n: int) -> None:
    """Refuse to show nothing. Raises: ConfigError."""
    if n < 1:
        raise UsageError(f"-n {n}: ask for at least 1")


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
