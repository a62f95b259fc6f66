"""Assembly: the items of a shop in their order, with the interactions that refer to them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.ids import tie_order
from recommender.core.interactions import Interactions
from recommender.errors import DataError
from recommender.readers.boilerplate import shared_sentences, without_sentences
from recommender.readers.catalogue import Items, concatenate
from recommender.readers.interactions import KeptInteractions
from recommender.readers.joining import Join
from recommender.readers.row_accounting import FileReport, ReadReport
from recommender.readers.sources import CatalogueSource

FEWEST_CROWDED = 10
"""A group of fewer items is not warned of."""


@dataclass(frozen=True, slots=True)
class ShopData:
    """The content of a shop's files."""

    catalogue: Catalogue
    interactions: Interactions
    report: ReadReport

    def in_tie_order(self) -> "ShopData":
        """The same with the items in `tie_order`, so that ties broken by row favour no id."""
        order = tie_order(self.catalogue.ids.ids)
        rows = np.empty_like(order)
        rows[order] = np.arange(len(order), dtype=np.int32)
        return replace(
            self,
            catalogue=self.catalogue.take(order),
            interactions=replace(self.interactions, item=rows[self.interactions.item]),
        )


def assemble(
    items: Items | None,
    kept: KeptInteractions,
    weights: Mapping[str, float],
    source: CatalogueSource,
    files: Sequence[FileReport],
    joins: tuple[Join, ...] = (),
) -> ShopData:
    """Order the items by their ids, and refer the interactions to their rows.

    Items that the catalogue lacks are added without texts, and may be shown only where the source
    says so; without a catalogue (None), all items come from the interactions and may be shown.
    What was bought of a hidden variant counts for its product, if that is shown.

    Raises: DataError where no item is left, or none of the catalogue may be shown.
    """
    variants = {} if items is None else _hidden_variants(items)
    sold_variants = _events_of(kept, variants)
    kept = kept.renamed(variants)
    if items is None:
        parts = [Items.from_titles(kept.items, kept.titles, kept.cut)]
    else:
        parts = [_absent(kept, source), items]
    whole = concatenate(parts)
    places = {value: place for place, value in enumerate(whole.ids)}
    in_catalogue = frozenset(() if items is None else items.ids)
    warm = kept.warm_items(weights)
    chosen = sorted(warm if source.scope == "with_interactions" else places)
    if not chosen:
        raise DataError(
            f"no items: no row of the interactions was kept{_left_out(files)}; correct what the "
            "settings leave out"
        )
    ordered = whole.take([places[value] for value in chosen])
    catalogue = ordered.catalogue()
    sentences = shared_sentences(catalogue, source.boilerplate_share)
    catalogue, boilerplate = without_sentences(catalogue, sentences)
    interactions = kept.of_catalogue(catalogue, weights)
    absent = 0 if items is None else sum(each not in in_catalogue for each in chosen)
    hidden = 0 if items is None else int((items.numbers["hidden"] == 1).sum())
    if items is not None and hidden == len(items.ids):
        raise DataError(
            f"none of the {hidden:,} items of the catalogue is for sale; correct "
            "catalogue.columns.status, catalogue.not_for_sale or catalogue.hidden"
        )
    listed = np.array([value in in_catalogue for value in catalogue.ids], dtype=bool)
    report = ReadReport(
        files=tuple(files),
        n_items=len(catalogue),
        n_interactions=len(interactions),
        cold_items=len(catalogue) - len(warm),
        absent_from_catalogue=absent,
        duplicate_ids=0 if items is None else items.repeated,
        shortened=int(ordered.numbers["cut"].sum()),
        out_of_scope=len(places) - len(chosen),
        too_old=kept.too_old,
        not_for_sale=hidden,
        of_cancelled_orders=kept.cancelled,
        returned=kept.returned,
        after_as_of=kept.clipped,
        of_variants=sold_variants,
        n_catalogue_events=int(listed[interactions.item].sum()) if items else len(interactions),
        in_several_categories=sum(map(bool, catalogue.other_categories)),
        boilerplate=boilerplate,
        joins=joins,
        warnings=(*_warnings(kept, joins), *_crowded(catalogue)),
    )
    return ShopData(catalogue, interactions, report)


def _left_out(files: Sequence[FileReport]) -> str:
    """Why most rows were left out."""
    reasons = Counter[str]()
    for file in files:
        reasons.update(file.left_out)
    shown = "; ".join(f"{reason}: {count:,} rows" for reason, count in reasons.most_common(3))
    return f" ({shown})" if shown else ""


def _absent(kept: KeptInteractions, source: CatalogueSource) -> Items:
    """Items that were sold, without texts; concatenated before those of the catalogue."""
    uncut = np.zeros(len(kept.items), dtype=bool)
    absent = Items.from_titles(kept.items, [""] * len(kept.items), uncut)
    if source.absent == "hidden":
        absent.numbers["hidden"][:] = 1
    return absent


def _hidden_variants(items: Items) -> dict[str, str]:
    """The shown product of each hidden variant, by their ids."""
    hidden = items.numbers["hidden"] == 1
    places = {value: place for place, value in enumerate(items.ids)}
    products = {}
    for place in np.flatnonzero(hidden).tolist():
        product = places.get(items.texts["group"][place], place)
        if not hidden[product]:
            products[items.ids[place]] = items.ids[product]
    return products


def _events_of(kept: KeptInteractions, variants: Mapping[str, str]) -> int:
    if not variants:
        return 0
    of_variants = np.array([value in variants for value in kept.items], dtype=bool)
    return int(of_variants[kept.columns["item"]].sum())


def _crowded(catalogue: Catalogue) -> Iterator[str]:
    """A warning where one group has most of the items, so that lists have one of them."""
    (name, size), *_ = *Counter(filter(None, catalogue.group)).most_common(1), ("", 0)
    if size >= FEWEST_CROWDED and 2 * size > len(catalogue):
        yield (
            f"{size:,} of {len(catalogue):,} items are in one group, {name!r:.60}: a list has one "
            "of them; correct catalogue.columns.group, or add the value to catalogue.nulls"
        )


def _warnings(kept: KeptInteractions, joins: Sequence[Join]) -> Iterator[str]:
    for join in joins:
        if warning := join.warning():
            yield warning
        if not join.events:
            yield f"{join.source}: no interaction was kept, so all lists come from texts"
    if kept.clipped:
        yield (
            f"events dated after all others, or after limits.as_of: {kept.clipped:,}; they count "
            "as of the newest day"
        )
