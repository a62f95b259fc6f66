"""Assembly: items and events, each in the order of its files -> Catalogue and Interactions."""

from collections.abc import Mapping, Sequence

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.errors import DataError
from recommender.readers.interactions import Events
from recommender.readers.items import Items, joined
from recommender.readers.report import FileReport, ReadReport
from recommender.readers.sources import Scope


def assembled(
    items: Items | None,
    events: Events,
    weights: Mapping[str, float],
    scope: Scope,
    files: Sequence[FileReport],
) -> tuple[Catalogue, Interactions, ReadReport]:
    """Put the items in the order of their ids, and the events into their rows.

    Of catalogue rows with one id the last counts. Without a catalogue (None) the items are those
    of the events; with one, those that it lacks follow it without texts.

    Raises: DataError where no item is left.
    """
    n_rows = 0 if items is None else len(items.ids)
    whole = joined([_of_events(events, items), *([] if items is None else [items])])
    places = {value: place for place, value in enumerate(whole.ids)}
    known = frozenset(() if items is None else items.ids)
    warm = _warm(events, weights)
    chosen = sorted(warm if scope == "with_interactions" else places)
    if not chosen:
        raise DataError(
            "no items: no row of the interactions was kept; look at what the settings leave out"
        )
    ordered = whole.taken([places[value] for value in chosen])
    catalogue = ordered.catalogue()
    interactions = _interactions(catalogue, events, weights)
    report = ReadReport(
        files=tuple(files),
        n_items=len(catalogue),
        n_interactions=len(interactions),
        cold_items=len(catalogue) - len(warm),
        absent_from_catalogue=0 if items is None else sum(each not in known for each in chosen),
        duplicate_ids=n_rows - len(known),
        shortened=int(ordered.numbers["cut"].sum()),
        out_of_scope=len(places) - len(chosen),
        too_old=events.too_old,
    )
    return catalogue, interactions, report


def _of_events(events: Events, items: Items | None) -> Items:
    if items is None:
        return Items.of_titles(events.items, events.titles, events.cut)
    nothing = np.zeros(len(events.items), dtype=bool)
    return Items.of_titles(events.items, [""] * len(events.items), nothing)


def _warm(events: Events, weights: Mapping[str, float]) -> frozenset[str]:
    strength = np.array(list(weights.values()))[events.columns["kind"]]
    warm = np.unique(events.columns["item"][strength > 0])
    return frozenset(events.items[number] for number in warm)


def _interactions(
    catalogue: Catalogue, events: Events, weights: Mapping[str, float]
) -> Interactions:
    rows = catalogue.ids.rows(events.items)[events.columns["item"]]
    inside = rows >= 0
    columns = {name: column[inside] for name, column in events.columns.items()}
    return Interactions(
        n_items=len(catalogue),
        **(columns | {"item": rows[inside]}),
        kinds=tuple(weights),
        weights=tuple(weights.values()),
        users=events.users,
    )
