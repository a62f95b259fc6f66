"""Live changes of items in a build: pinned when a run begins, laid over the catalogue that is read.

A build's records have the changes, so that they leave the live layer once it is published.
"""

import dataclasses
import hashlib
import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from recommender.artifacts.runs import find_run
from recommender.artifacts.store import Artifact, ArtifactStore, artifact_key
from recommender.build.contents import READ, find_build
from recommender.build.job import Job, pins_of
from recommender.build.steps import Made, Step
from recommender.core.arrays import Columns, pack_texts, unpack_texts
from recommender.core.catalogue import Catalogue
from recommender.errors import ArtifactError, DataError, StoreUnavailable
from recommender.publishing.change_fields import AVAILABILITY, TEXTS
from recommender.publishing.folded_changes import (
    Fields,
    Folded,
    FoldedItem,
    as_changes,
    decoded,
    encoded,
    joined,
    parted,
)
from recommender.publishing.item_changes import ItemChanges
from recommender.publishing.publisher import Publisher
from recommender.serving.records import DIGITS, total_stock

CHANGES = ("changes", 1)
_EFFECTIVE, _OBSOLETE = "effective", "obsolete"
_CARRIED_BY_NONE = frozenset({"deleted", "available_until"})
"""What no catalogue says: the changes alone end it."""

log = logging.getLogger(__name__)


def with_changes(job: Job, publisher: Publisher) -> Job:
    """The pinned job with the changes that are live now, unless it has some already.

    Raises: ArtifactError, StoreUnavailable.
    """
    if pins_of(job).changes:
        return job
    live = ItemChanges(publisher.store, publisher.shop).all()
    folded = joined(live, _before(job, publisher), catalogue_digest(pins_of(job).inputs))
    if not folded:
        return job
    lines = encoded(folded)
    key = artifact_key(
        *CHANGES, {}, {"lines": hashlib.sha256("\n".join(lines).encode()).hexdigest()}
    )
    if not job.artifacts.is_done(CHANGES[0], key):
        job.artifacts.write(CHANGES[0], key, pack_texts("lines", lines), {"items": len(lines)})
    return dataclasses.replace(job, pins=dataclasses.replace(pins_of(job), changes=key))


def catalogue_digest(inputs: Mapping[str, str]) -> str:
    """What identifies the catalogue among the checksums of inputs; "" where there is none."""
    files = {name: digest for name, digest in inputs.items() if name.startswith("catalogue")}
    text = json.dumps(files, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if files else ""


def changes_steps(job: Job) -> tuple[Step, ...]:
    """The step that holds the pinned changes, where there are some; it is done from the start."""
    key = pins_of(job).changes
    if not key:
        return ()

    def make() -> Made:
        raise DataError("the live changes of this run went away; run again")

    return (Step.single((job.artifacts, CHANGES[0], key), (CHANGES[0], "changes"), (), make),)


def laid_over(job: Job, catalogue: Catalogue) -> tuple[Catalogue, Columns]:
    """The catalogue with the pinned changes, and columns that say which of them count."""
    steps = changes_steps(job)
    if not steps:
        return catalogue, {}
    folded = decoded(unpack_texts("lines", steps[0].artifact().columns()))
    items = _parted(folded, catalogue, catalogue_digest(pins_of(job).inputs))
    effective = {item: one.effective for item, one in items.items() if one.effective}
    obsolete = {item: one.obsolete for item, one in items.items() if one.obsolete}
    columns = pack_texts(_EFFECTIVE, encoded(effective)) | pack_texts(_OBSOLETE, encoded(obsolete))
    return _overlaid(catalogue, effective), columns


def folded_of(read: Artifact) -> tuple[Folded, Folded]:
    """The changes that count in a build, and those that its catalogue made obsolete."""
    if f"{_EFFECTIVE}.bytes" not in read.column_names:
        return {}, {}
    parts = (_EFFECTIVE, _OBSOLETE)
    columns = read.columns(*[f"{part}.{name}" for part in parts for name in ("bytes", "offsets")])
    effective, obsolete = (decoded(unpack_texts(part, columns)) for part in parts)
    return effective, obsolete


def leave_live(store: ArtifactStore, build: Artifact, publisher: Publisher) -> None:
    """Remove the changes that a build has from the live layer, once readers read it.

    Where the store fails, they stay over records that have them, until the next publish.
    """
    effective, obsolete = folded_of(store.require(READ[0], build.summary["read"]))
    folded = {
        item: FoldedItem(effective.get(item, {}), obsolete.get(item, {}))
        for item in {**effective, **obsolete}
    }
    if not folded:
        return
    time.sleep(publisher.grace_s)  # some readers still read the generation before
    try:
        left = ItemChanges(publisher.store, publisher.shop).leave(folded)
    except StoreUnavailable as error:
        log.warning("event=changes_stay shop=%s reason=%s", publisher.shop, error)
    else:
        log.info("event=changes_folded shop=%s items=%d", publisher.shop, left)


def bring_back(store: ArtifactStore, publisher: Publisher) -> None:
    """Lay the changes that the live build has over all records, before another build goes live.

    Nothing where the artifacts of the build are gone. Raises: StoreUnavailable.
    """
    live = publisher.live()
    with suppress(ArtifactError):
        if live is not None:
            build = find_build(store, live.lists_key)
            effective, _ = folded_of(store.require(READ[0], build.summary["read"]))
            ItemChanges(publisher.store, publisher.shop).update(as_changes(effective))


def _before(job: Job, publisher: Publisher) -> Folded:
    """The changes that the live build has; those a newer catalogue replaced are left out.

    Nothing, with a warning, where the artifacts of that build are damaged or gone.
    """
    live = publisher.live()
    try:
        run = None if live is None else find_run(job.artifacts, live.id)
        if run is None or not run.pins.get("changes"):
            return {}
        if catalogue_digest(run.pins["inputs"]) == catalogue_digest(pins_of(job).inputs):
            artifact = job.artifacts.require(CHANGES[0], run.pins["changes"])
            return decoded(unpack_texts("lines", artifact.columns()))
        build = find_build(job.artifacts, run.build)
        return folded_of(job.artifacts.require(READ[0], build.summary["read"]))[0]
    except ArtifactError as error:
        log.warning("event=changes_unknown shop=%s reason=%s", publisher.shop, error)
        return {}


def _parted(folded: Folded, catalogue: Catalogue, digest: str) -> dict[str, FoldedItem]:
    """The changes of the items of a catalogue; one without an item out of stock knows no stock."""
    says_stock = bool((catalogue.for_sale & ~catalogue.in_stock).any())
    items = [item for item in folded if item in catalogue.ids]
    found = {}
    for item, row in zip(items, map(catalogue.ids.row, items), strict=True):

        def carried(name: str, row: int = row) -> bool:
            if name in _CARRIED_BY_NONE:
                return False
            if name == "available_from":
                return bool(catalogue.available_from[row])
            if name in AVAILABILITY:
                return says_stock
            if name in {"price", "price_minor"}:
                return bool(np.isfinite(catalogue.price[row]))
            column = getattr(catalogue, name) if name in TEXTS else catalogue.attributes.get(name)
            return bool(column and column[row])

        found[item] = parted(folded[item], digest, carried)
    return found


def _overlaid(catalogue: Catalogue, effective: Folded) -> Catalogue:
    """The catalogue with the values that changed."""
    texts = {name: list(getattr(catalogue, name)) for name in TEXTS}
    texts |= {name: list(column) for name, column in catalogue.attributes.items()}
    numbers: dict[str, Any] = {
        name: getattr(catalogue, name).copy()
        for name in ("price", "in_stock", "for_sale", "available_from")
    }
    for item, fields in effective.items():
        row = catalogue.ids.row(item)
        for name, one in fields.items():
            if name in texts:
                texts[name][row] = _text(one.value)
        for name, number in _numbers(fields, texts["currency"][row]).items():
            numbers[name][row] = number
    columns: dict[str, Any] = {name: tuple(texts[name]) for name in TEXTS}
    return dataclasses.replace(
        catalogue,
        **columns,
        **numbers,
        attributes={name: tuple(texts[name]) for name in catalogue.attributes},
    )


def _numbers(fields: Fields, currency: str) -> dict[str, Any]:
    values = {name: one.value for name, one in fields.items()}
    found: dict[str, Any] = {}
    if "price" in values:
        found["price"] = values["price"]
    if "price_minor" in values:
        found["price"] = values["price_minor"] / 10 ** DIGITS.get(currency, 2)
    if "stock" in values or "in_stock" in values:
        sold_out = "stock" in values and total_stock(values["stock"]) <= 0
        found["in_stock"] = values.get("in_stock", True) and not sold_out
    if "available_from" in values:
        found["available_from"] = values["available_from"]
    if values.get("deleted"):
        found |= {"for_sale": False, "in_stock": False}
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def changed_fields(effective: Folded) -> dict[str, dict[str, Any]]:
    """The changes that count in a build as its records have them."""
    return {item: {name: one.value for name, one in f.items()} for item, f in effective.items()}
