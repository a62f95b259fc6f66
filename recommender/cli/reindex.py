"""`recommender reindex`, `refresh` and `demo`."""

import argparse
import dataclasses
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import tomli_w
from rich.console import Console

from recommender import pipeline
from recommender.artifacts.runs import find_run
from recommender.artifacts.store import ArtifactStore
from recommender.build.contents import read_ids
from recommender.build.job import resumed, text_encoders
from recommender.cli.arguments import CANARY, ITEMS, command, flag
from recommender.cli.console import PORT, open_console
from recommender.cli.hiding import item_ids
from recommender.cli.lookup import show_related
from recommender.cli.run_report import print_jumps, print_run
from recommender.cli.session import publisher, save_embedded, settings_of, store_url
from recommender.cli.terminal import EarlierRun, RunLine, console, progress
from recommender.core.telemetry import Stopwatch
from recommender.evaluation.harness import judge_of
from recommender.live.encoder_subprocess import encoder_subprocess
from recommender.live.live_state import LiveState, live_state
from recommender.live.refresh import Refreshment, checked, refresh
from recommender.pipeline import Outcome
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from recommender.readers.shop import read_catalogue
from recommender.settings.loading import load
from recommender.settings.model import Settings
from recommender.settings.presets import shipped

DEMO_ITEMS = ("1098066", "7152455", "866140", "985427")
DEMO_SHOWN = 6


@command(
    "reindex",
    "Read the catalogue and the interactions, build all related lists, and publish them as a new "
    "generation. A run without changes does nothing; an interrupted run is resumed.",
    flag("--force", "publish even if nothing changed or a gate fails"),
    CANARY,
)
def _reindex(options: argparse.Namespace) -> int:
    reindex(settings_of(options), force=options.force, canary_share=options.canary)
    return 0


def reindex(settings: Settings, *, force: bool, canary_share: float = 0.0) -> Outcome:
    """Run the pipeline with progress on stderr, and print a summary."""
    job = settings.job(progress)
    line = RunLine(EarlierRun.newest(job.artifacts))
    job = dataclasses.replace(job, stopwatch=Stopwatch(watch=line.stage))
    with publisher(settings) as shop, line.shown():
        outcome = pipeline.reindex(
            job,
            shop,
            settings.gates,
            force=force,
            canary_share=canary_share,
            judge=judge_of(settings.evaluation),
        )
        if outcome.published:
            save_embedded(settings, shop.store)
    shown = console()
    generation = outcome.generation
    if not outcome.published:
        shown.print(
            f"Nothing changed: generation {generation.id} of {settings.shop} stays live, "
            f"{generation.n_lists:,} lists. Publish again with --force."
        )
        return outcome
    print_run(shown, outcome.report, job.stopwatch.costs)
    state = f"canary for {canary_share:.1%} of the requests" if canary_share else "live"
    shown.print(
        f"Generation {generation.id} of {settings.shop} is {state}: {generation.n_lists:,} related "
        f"lists with {generation.n_entries:,} entries."
    )
    print_jumps(shown, outcome.jumps)
    if any(file["refused"] for file in outcome.report["files"]):
        shown.print(f"Refused rows: {job.quarantine}", soft_wrap=True)
    return outcome


@command(
    "refresh",
    "Read some items of the catalogue again, build their related lists with the models of the "
    "live build, and publish the lists that change over the live generation.",
    *ITEMS,
)
def _refresh(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    ids = checked([*options.items, *item_ids(options.file)])
    with publisher(settings) as shop:
        live, done = refreshed(settings, shop, ids)
        save_embedded(settings, shop.store)
        hidden = frozenset(Hidden(shop.store, shop.shop).hidden())
    _print_refreshed(console(), done, live)
    if count := len(hidden.intersection(ids)):
        console().print(f"{count:,} of them hidden: recommender unhide shows them.")
    _warn_of_runs(settings.artifact_store(), live)
    return 0


def refreshed(
    settings: Settings, shop: Publisher, ids: tuple[str, ...]
) -> tuple[LiveState, Refreshment]:
    """Read items of the catalogue again and refresh them over what is live.

    If some are new, a subprocess loads the text model while the catalogue is read.
    """
    live = live_state(settings.artifact_store(), shop)
    job = resumed(settings.frozen_as(live.run.settings).job(progress), live.run)
    quarantine = job.quarantine.with_suffix(".refresh.jsonl")
    known = read_ids(live.artifacts, live.build)
    with ExitStack() as stack:
        encoder, encoders = None, list(text_encoders(job).values())
        if encoders and not all(item in known for item in ids):
            encoder = stack.enter_context(encoder_subprocess(encoders[0].choice, job.text_api))
            encoders[0].encoder()
        items = read_catalogue(settings.source(), ids, quarantine=quarantine, progress=progress)
        return live, refresh(job, live, shop, items, encoder=encoder)


@command(
    "demo",
    "Build the lists of a sample of a grocery shop with the recipe quick, and show some of them. "
    "Everything is kept in the folder .recommender.",
    flag("--console", "then open the console of the shop"),
    PORT,
)
def _demo(options: argparse.Namespace) -> int:
    """Build the grocery sample that ships with the package, with the working folder as its state.

    Its settings and a rule file without rules are kept in the state folder, for the commands that
    the user tries next.
    """
    if options.config:
        path = Path(options.config)
        settings = load(path, options.assignments)
    else:
        state = Path.cwd() / ".recommender"
        rules = state / "rules.yaml"
        own = [
            f"state.folder={json.dumps(str(state))}",
            f"merchandising.rules={json.dumps(str(rules))}",
        ]
        state.mkdir(parents=True, exist_ok=True)
        if not rules.exists():
            rules.write_text("rules: []\n", encoding="utf-8")
        settings = load(shipped("config/examples/demo.toml"), [*own, *options.assignments])
        path = settings.state.folder / "demo.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(tomli_w.dumps(settings.plain()), encoding="utf-8")
    with store_url(settings) as url:
        reindex(settings, force=False)
        for item in DEMO_ITEMS:
            sys.stdout.write("\n")
            show_related(settings, [item], DEMO_SHOWN)
        place = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
        sys.stdout.write(f"\nMore: recommender related {DEMO_ITEMS[0]} --config {place}\n")
        if options.console:
            return open_console({settings.shop: (settings, url)}, options.port)
        sys.stdout.write("In a browser: recommender demo --console\n")
    return 0


def _print_refreshed(shown: Console, done: Refreshment, live: LiveState) -> None:
    generation = done.generation
    shown.print(
        f"{len(done.new):,} new and {len(done.known):,} known items refreshed: generation "
        f"{generation.id} overlays {live.number} with {generation.n_lists:,} lists."
    )
    for placement, count in done.entered.items():
        shown.print(f"  {placement}: inserted in {count:,} lists of other items")
    if done.new:
        shown.print("New items are provisional until the next recommender reindex.")


def _warn_of_runs(store: ArtifactStore, live: LiveState) -> None:
    """Warn of runs that began before the overlay and can no longer go live."""
    for number in store.runs():
        run = find_run(store, number)
        if number > live.pointer.fence and run is not None and run.state == "running":
            sys.stderr.write(
                f"recommender: run {number}, if it is still running, is superseded by this "
                "refresh; run recommender reindex after it ends, which resumes it\n"
            )
