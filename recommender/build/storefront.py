"""The storefront of a build: what settings and rules say of pages, and the items that are new."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import READ, catalogue_of, interactions_of
from recommender.build.folded_changes import changed_fields, folded_of
from recommender.build.job import Job, pins_of
from recommender.core.arrays import Rows
from recommender.core.catalogue import PATH_SEPARATOR, Catalogue
from recommender.core.interactions import Interactions
from recommender.merchandising.application import rules_of
from recommender.merchandising.matching import Shelves
from recommender.publishing.records import Records

NEW_ITEMS = 100
"""New items of a top category that are published."""
IMPRESSION = "impression"
"""The kind of event that says that an item was shown; of weight 0, nothing else learns from it."""


def storefront_terms(job: Job) -> dict[str, Any]:
    """What a pinned job says of pages, as a part of the key of its build; empty for nothing.

    So a heading that changes is published by the next reindex, with the lists as they are.
    """
    bundles = pins_of(job).bundles
    terms = {**job.storefront, **({"bundles": dict(bundles)} if bundles else {})}
    return {"storefront": terms} if terms else {}


def storefront_of(
    terms: Mapping[str, Any], read: Artifact, rules: Mapping[str, Any]
) -> dict[str, Any]:
    """The storefront of a build's summary; with new items where a placement explores.

    Items that the snapshot of merchandising `rules` excludes or replaces anywhere are not new.
    """
    if not terms:
        return {}
    found = dict(terms["storefront"])
    most = {
        name.removeprefix("new_"): found.pop(name)
        for name in ("new_events_max", "new_impressions_max")
        if name in found
    }
    if most:
        catalogue = catalogue_of(read)
        removed = removed_by(rules, catalogue)
        found["new_items"] = new_items(catalogue, interactions_of(read), removed, **most)
    return {"storefront": found}


def removed_by(rules: Mapping[str, Any], catalogue: Catalogue) -> Rows:
    """The rows that rules take out of some list, rising."""
    shelves, none = Shelves(catalogue), np.zeros(0, dtype=np.int32)
    parts = [none]
    for number, rule in enumerate(rules_of(rules).rules if rules else ()):
        if rule.action in {"exclude", "replace"}:
            matched = shelves.matched(number, rule)
            parts += [matched.targets, matched.pairs[:, 1]]
    removed: Rows = np.unique(np.concatenate(parts))
    return removed


def new_items(
    catalogue: Catalogue,
    interactions: Interactions,
    removed: Rows,
    *,
    events_max: int,
    impressions_max: int,
) -> dict[str, list[str]]:
    """Items for sale with few events and few impressions, by the first part of their category.

    Those that are available since the latest date come first, then those with the fewest
    impressions, then those with the fewest events; at most `NEW_ITEMS` of a category. Those that
    will be available after the last event are left out.
    """
    kinds = np.array([kind == IMPRESSION for kind in interactions.kinds], dtype=bool)
    shown = kinds[interactions.kind]
    n = len(catalogue)
    impressions = np.bincount(interactions.item[shown], minlength=n)[:n]
    events = np.bincount(interactions.item[~shown], minlength=n)[:n]
    since = catalogue.available_from
    new = catalogue.for_sale & catalogue.in_stock & (events <= events_max)
    new &= impressions <= impressions_max
    new &= since <= (interactions.time.max(initial=0) or np.iinfo(np.int64).max)
    new[removed] = False
    rows = np.flatnonzero(new)
    found: dict[str, list[str]] = {}
    for row in rows[np.lexsort((events[rows], impressions[rows], -since[rows]))].tolist():
        top = catalogue.category[row].split(PATH_SEPARATOR, 1)[0]
        if len(named := found.setdefault(top, [])) < NEW_ITEMS:
            named.append(catalogue.ids.ids[row])
    return found


def records_of(store: ArtifactStore, build: Artifact) -> Records | None:
    """The records of a build with its storefront and live changes. Raises: ArtifactError."""
    read = store.require(READ[0], build.summary["read"])
    effective, _ = folded_of(read)
    front = build.summary.get("storefront")
    return Records.of(catalogue_of(read), front, changed_fields(effective))
