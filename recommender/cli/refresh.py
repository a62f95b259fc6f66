"""`recommender refresh`."""

import argparse
import sys
from contextlib import ExitStack

from recommender.artifacts.runs import find_run
from recommender.artifacts.store import ArtifactStore
from recommender.build.job import resumed, text_encoders
from recommender.cli.hide import listed_items
from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, progress
from recommender.live.encoder_subprocess import encoder_subprocess
from recommender.live.refresh import Live, Refreshment, checked, refresh
from recommender.publishing.embedded import save
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.readers.shop import read_catalogue
from recommender.settings.model import EMBEDDED, Settings


def run(options: argparse.Namespace) -> int:
    """Give items of the catalogue their lists, and say where they stand."""
    settings = settings_of(options)
    ids = checked([*options.items, *listed_items(options.file)])
    with publisher(settings) as shop:
        live, done = refreshed(settings, shop, ids)
        if settings.store.url == EMBEDDED:
            save(shop.store)
        hidden = frozenset(Hidden(shop.store, shop.shop).hidden())
    _say(done, live)
    if count := len(hidden.intersection(ids)):
        console().print(f"{count:,} of them hidden: recommender unhide shows them.")
    _warn_of_runs(settings.artifact_store(), live)
    return 0


def refreshed(
    settings: Settings, shop: Publisher, ids: tuple[str, ...]
) -> tuple[Live, Refreshment]:
    """Read what the catalogue says of the items now, and refresh them over what is live.

    Where there is a new one, the text model is loaded meanwhile, in a process of its own.
    """
    live = Live.of(settings.artifact_store(), shop)
    job = resumed(settings.frozen_as(live.run.settings).job(progress), live.run)
    quarantine = job.quarantine.with_suffix(".refresh.jsonl")
    known = live.known(job.artifacts)
    with ExitStack() as stack:
        encoder, encoders = None, list(text_encoders(job).values())
        if encoders and not all(item in known for item in ids):
            encoder = stack.enter_context(encoder_subprocess(encoders[0].choice, job.text_api))
            encoders[0].encoder()
        items = read_catalogue(settings.source(), ids, quarantine=quarantine, progress=progress)
        return live, refresh(job, live, shop, items, encoder=encoder)


def _say(done: Refreshment, live: Live) -> None:
    shown = console()
    generation = done.generation
    shown.print(
        f"{len(done.new):,} new and {len(done.known):,} known items refreshed: generation "
        f"{generation.id} lies over {live.seen.generation}, {generation.n_lists:,} lists."
    )
    for placement, count in done.entered.items():
        shown.print(f"  {placement}: they stand in {count:,} lists of other items")
    if done.new:
        shown.print("New items are provisional until the next recommender reindex.")


def _warn_of_runs(store: ArtifactStore, live: Live) -> None:
    """Say which runs began before the overlay and so can go live no more."""
    for number in store.runs():
        run = find_run(store, number)
        if number > live.seen.fence and run is not None and run.state == "running":
            sys.stderr.write(
                f"recommender: run {number}, if still at work, is superseded by this refresh; "
                "run recommender reindex again when it has ended, it goes on where it was\n"
            )
