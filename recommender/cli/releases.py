"""`recommender status`, `generations`, `diff`, `approve`, `promote` and `rollback`."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console

from recommender.build.folded_changes import bring_back
from recommender.cli.arguments import argument, command, file
from recommender.cli.session import publisher, save_embedded, settings_of
from recommender.cli.terminal import console, print_cut, progress, right, table, write
from recommender.insights import diff as releases
from recommender.insights.diff import Difference, Release
from recommender.pages.rendering import render
from recommender.publishing.inspection import uncovered_slots
from recommender.publishing.servers import servers
from recommender.serving.connection import Store

SHOWN = 10
RELEASE = "number of a generation, or live, previous or held (the newest)"
TIME = "%Y-%m-%d %H:%M:%S"


@command(
    "status",
    "Show the live generation of a shop, its age, the generation that rollback returns to, and "
    "whether a generation is being written.",
)
def _status(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        generations = shop.generations()
        cluster = _cluster(shop.store)
    by_role = {generation.role: generation for generation in generations if generation.role}
    live, previous = by_role.get("live"), by_role.get("previous")
    rows = [("shop", settings.shop), *cluster]
    if live is None:
        rows.append(("live", "nothing; run recommender reindex"))
    else:
        created = datetime.fromtimestamp(live.created_at, UTC)
        hours, rest = divmod(int((datetime.now(UTC) - created).total_seconds()), 3600)
        rows += [
            ("live", f"generation {live.id}"),
            ("published", f"{created:{TIME}} UTC, {hours} h {rest // 60} min ago"),
            ("lists", f"{live.n_lists:,} with {live.n_entries:,} entries"),
            ("recipe", live.recipe_digest[:12]),
        ]
    for role in ("overlay", "canary"):
        if role in by_role:
            rows.append((role, f"generation {by_role[role].id}"))
    rows.append(("previous", f"generation {previous.id}" if previous else "none"))
    staging = [str(generation.id) for generation in generations if generation.state == "staging"]
    if staging:
        rows.append(("being written", ", ".join(staging)))
    console().print(table(["", ""], rows))
    return 0


def _cluster(store: Store) -> list[tuple[str, str]]:
    lost = uncovered_slots(store)
    if lost is None:
        return []
    covered = f"no node has slots {lost}" if lost else "every slot covered"
    return [("store", f"Cluster of {len(servers(store))} primaries, {covered}")]


@command("generations", "List the published generations of a shop, newest first.")
def _generations(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        generations = shop.generations()
    if not generations:
        console().print(f"Nothing is published for shop {settings.shop} yet.")
        return 0
    rows = [
        (
            str(generation.id),
            generation.role or generation.state,
            f"{datetime.fromtimestamp(generation.created_at, UTC):{TIME}}",
            generation.n_items,
            generation.n_lists,
            generation.n_entries,
            generation.recipe_digest[:12],
        )
        for generation in generations
    ]
    counts = right("items", "lists", "entries")
    headings = [*right("generation"), "role", "created (UTC)", *counts, "recipe"]
    console().print(table(headings, rows))
    return 0


@command(
    "approve",
    "",
    argument("run", "number of the run (default: the newest)", nargs="?", type=int, metavar="RUN"),
)
def _approve(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        live = releases.approve(settings.artifact_store(), shop, options.run, progress)
        save_embedded(settings, shop.store)
    console().print(
        f"Generation {live.id} of shop {settings.shop} is live: {live.n_lists:,} related lists."
    )
    return 0


@command("promote")
def _promote(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        live = shop.promote()
    console().print(f"Generation {live.id} of shop {settings.shop} is live for all requests.")
    return 0


@command(
    "rollback",
    "Withdraw the canary if there is one; otherwise make an earlier generation live again.",
    argument(
        "generation",
        "number of the generation (default: the previous one)",
        nargs="?",
        type=int,
        metavar="GENERATION",
    ),
)
def _rollback(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        bring_back(settings.artifact_store(), shop)
        live = shop.rollback(options.generation)
    console().print(f"Generation {live.id} of shop {settings.shop} is live.")
    return 0


@command(
    "diff",
    "Compare the lists of two generations: how many changed, which items entered many lists, and "
    "which lists of best sellers changed most.",
    argument("old", RELEASE, metavar="OLD"),
    argument("new", RELEASE, metavar="NEW"),
    file("--html", "also write a page that shows lists side by side"),
)
def _diff(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    store = settings.artifact_store()
    with publisher(settings) as shop:
        old, new = (releases.release(store, shop, name) for name in (options.old, options.new))
    found = releases.differences(store, old, new)
    if options.html is not None:
        both = f"{old.number} ({old.role}) compared with {new.number} ({new.role})"
        title = f"{settings.shop}: {both}"
        page = render("diff.html", title=title, old=old, new=new, differences=found)
        write("--html", options.html, page)
    _print_diff(console(), settings.shop, (old, new), found)
    return 0


def _print_diff(
    shown: Console, shop: str, both: tuple[Release, Release], found: Sequence[Difference]
) -> None:
    old, new = both
    shown.print(f"Shop {shop}: {old.number} ({old.role}) compared with {new.number} ({new.role}).")
    for reason in new.held:
        shown.print(f"  held: {reason}")
    rows = [
        (
            one.placement,
            one.n_common,
            one.n_new,
            one.n_gone,
            one.n_changed,
            one.n_reordered,
            f"{one.churn:.1%}",
            len(one.orphaned),
        )
        for one in found
    ]
    figures = ["items in both", "new", "gone", "changed", "reordered", "churn@10", "orphaned"]
    shown.print()
    shown.print(table(["placement", *right(*figures)], rows))
    for one in found:
        _print_jumps(shown, one)
        _print_best_sellers(shown, one)


def _print_jumps(shown: Console, one: Difference) -> None:
    if not one.jumps:
        return
    shown.print(f"\nEntered the first five of many {one.placement} lists; is it the season?\n")
    for jump in one.jumps[:SHOWN]:
        lists = f"{jump.before:,} to {jump.after:,}"
        print_cut(shown, f"{lists:>16}  {jump.item}  {jump.title}")


def _print_best_sellers(shown: Console, one: Difference) -> None:
    if not one.best_sellers:
        return
    shown.print(f"\nBest sellers whose {one.placement} lists changed most:\n")
    for changed in one.best_sellers[:SHOWN]:
        print_cut(shown, f"{changed.kept:>4.0%} stays  {changed.item}  {changed.title}")
        for sign, entries in (("-", changed.before), ("+", changed.after)):
            titles = [entry.title or entry.item for entry in entries if not entry.stays]
            if titles:
                print_cut(shown, f"{sign:>10}  {' | '.join(titles)}")
