"""`recommender related ITEM`."""

import argparse
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing

from recommender.build.contents import find_build, read_catalogue
from recommender.cli.session import settings_of, store_url
from recommender.cli.terminal import console, table
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.related import RelatedList
from recommender.errors import ArtifactError, ConfigError, DataError, StoreUnavailable
from recommender.live.overlays import combined_catalogue, live_record
from recommender.publishing.publisher import Publisher
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from recommender.settings.model import Settings

DEADLINE_S = 2.0


def run(options: argparse.Namespace) -> int:
    """Show the related items of one item, as a storefront gets them."""
    settings = settings_of(options)
    placement = _placement(settings, options.placement)
    if options.n < 1:
        raise ConfigError(f"-n {options.n}: ask for at least 1")
    show(settings, options.item, options.n, placement=placement, as_json=options.json)
    return 0


def show(
    settings: Settings, item: str, n: int, *, placement: str = "", as_json: bool = False
) -> None:
    """Print the n related items of one item with their titles.

    Raises: DataError where nothing is published or the item is unknown; StoreUnavailable.
    """
    answer, layers = _look_up(settings, item, placement or _placement(settings, ""), n)
    catalogue, provisional = _known(settings, layers)
    titles = _titles(catalogue, answer)
    if as_json:
        _print_json(settings.shop, answer, titles, provisional)
    if answer.status == "unknown_item":
        raise DataError(unknown_item(item, answer.generation, catalogue))
    if not as_json:
        _print_table(answer, titles, provisional)


def _look_up(
    settings: Settings, item: str, placement: str, n: int
) -> tuple[RelatedList, tuple[Generation, ...]]:
    """The answer, and the generations that lookups read, newest first."""
    with store_url(settings) as url:
        with open_store(url) as store:
            publisher = Publisher(store, settings.shop)
            if publisher.live() is None:
                raise DataError(
                    f"nothing is published for shop {settings.shop} yet; run recommender reindex"
                )
            _, layers = publisher.layers()
        with closing(RelatedItems(url, settings.shop, deadline_s=DEADLINE_S)) as lookup:
            answer = lookup.get(item, placement, n)
    if answer.status in {"stale", "fallback", "degraded"}:
        raise StoreUnavailable(f"the lookup of {item!r:.80} failed; run recommender doctor")
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


def _known(
    settings: Settings, layers: Sequence[Generation]
) -> tuple[Catalogue | None, frozenset[str]]:
    """The catalogue with what was refreshed since, and the items that stand provisionally."""
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
    """That an item is not there, with a guess which was meant."""
    hint = ""
    if catalogue is not None:
        same = [known for known in catalogue.ids if known.casefold() == item.casefold()]
        near = same or difflib.get_close_matches(item, catalogue.ids.ids, n=1, cutoff=0.75)
        hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"item {item!r:.80} is not in the live generation {generation}{hint}"


def _print_json(
    shop: str, answer: RelatedList, titles: Mapping[str, str], provisional: frozenset[str]
) -> None:
    content = {
        "shop": shop,
        "item": answer.item,
        "placement": answer.placement,
        "generation": answer.generation,
        "status": answer.status,
        "provisional": answer.item in provisional,
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
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")


def _print_table(
    answer: RelatedList, titles: Mapping[str, str], provisional: frozenset[str]
) -> None:
    shown = console()
    title = titles.get(answer.item, "")
    mark = "  (provisional)" if answer.item in provisional else ""
    shown.print(f"{answer.placement}: {answer.item}  {title}{mark}", markup=False, soft_wrap=False)
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
    headings = [
        ("#", "right"),
        ("item", "left"),
        ("title", "left"),
        ("score", "right"),
        ("evidence", "left"),
    ]
    shown.print(table(headings, rows))
    if not rows:
        shown.print("No related items.")
