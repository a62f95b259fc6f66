"""`recommender explain ITEM OTHER`."""

import argparse
import dataclasses
import json
import sys

from rich.console import Console

from recommender.build.contents import placements, read_catalogue
from recommender.build.job import resumed
from recommender.cli.live import live_lists
from recommender.cli.related import unknown_item
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, table
from recommender.core.catalogue import Catalogue
from recommender.errors import ConfigError, DataError
from recommender.insights.explain import Explanation, Standing, explain
from recommender.live.live_state import LiveState
from recommender.merchandising.application import rules_of

_DEEDS = {
    ("moved", True): "moved it",
    ("moved", False): "moved others",
    ("barred", True): "barred",
    ("barred", False): "others barred",
    ("displaced", True): "displaced",
    ("displaced", False): "others displaced",
}


def run(options: argparse.Namespace) -> int:
    """Say why one item stands, or does not stand, in the list of another."""
    settings = settings_of(options)
    live, described = live_lists(settings)
    if live is None:
        raise DataError(f"shop {settings.shop}: {described}; run recommender reindex")
    catalogue = read_catalogue(live.artifacts, live.build)
    for item in (options.item, options.other):
        if item not in catalogue.ids:
            raise DataError(unknown_item(item, live.number, catalogue))
    names = placements(live.build)
    if options.placement and options.placement not in names:
        raise ConfigError(
            f"--placement {options.placement!r:.60}: generation {live.number} has "
            f"{', '.join(names)}"
        )
    job = resumed(settings.frozen_as(live.run.settings).job(), live.run)
    rows = catalogue.ids.row(options.item), catalogue.ids.row(options.other)
    found = explain(job, live, rows, options.placement or names[0])
    if options.json:
        content = {"shop": settings.shop, "generation": live.number} | dataclasses.asdict(found)
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    else:
        _print(console(), found, catalogue, f"{described}{_laid_over(live)}")
    return 0


def _print(shown: Console, found: Explanation, catalogue: Catalogue, described: str) -> None:
    titles = [catalogue.title[catalogue.ids.row(item)] for item in (found.item, found.other)]
    shown.print(f"Does {found.other} stand in the {found.placement} list of {found.item}?")
    shown.print(
        table(
            [("", "left"), ("", "left"), ("", "fold")],
            [("  list of", found.item, titles[0]), ("  asked for", found.other, titles[1])],
        )
    )
    answer = "Yes" if found.standing else "No"
    shown.print(f"\n{answer}: {found.verdict}.", style="bold", markup=False)
    shown.print(f"({described})\n", markup=False)
    shown.print("What is known of the two", style="bold")
    _print_pair(shown, found)
    shown.print("\nWhat the stages made of it", style="bold")
    _print_stages(shown, found)


def _laid_over(live: LiveState) -> str:
    if not live.overlay_known:
        return "; what is laid over them is not known"
    refreshed = live.record.refreshed
    parts = [] if refreshed is None else [f"{len(refreshed.items):,} refreshed items"]
    if live.record.rules:
        parts.append(f"{len(rules_of(live.record.rules).rules):,} merchandisers' rules")
    return f", with {' and '.join(parts)} laid over them" if parts else ""


def _print_pair(shown: Console, found: Explanation) -> None:
    rows = []
    for near in found.nearness:
        usual = f"99 in 100 random pairs are below {near.near:.2f}"
        if near.cosine is None:
            rows.append((f"  cosine of {near.origin}", "none", "one of the two has no vector"))
        else:
            told = f"near: {usual}" if near.cosine > near.near else f"not near: {usual}"
            rows.append((f"  cosine of {near.origin}", f"{near.cosine:.2f}", told))
    for one in found.together:
        told = f"of {one.units_of_item:,} and {one.units_of_other:,}"
        if one.units:
            told += f", by {one.users:,} known users; {one.lift:,.1f} times chance"
        rows.append((f"  {one.kind} together", f"{one.units:,} times", told))
    shown.print(table([("", "left"), ("", "right"), ("", "left")], rows))


def _print_stages(shown: Console, found: Explanation) -> None:
    rows = []
    for one in found.proposed:
        if one.rank is None:
            rows.append((f"  {one.source}", "not named", ""))
        else:
            told = f"the first {one.asked:,} became candidates"
            rows.append((f"  {one.source}", f"rank {one.rank:,}", told))
    if found.ranked:
        rank, score = found.ranked
        told = f"of {found.candidates:,} candidates, score {score:.3f}"
        rows.append(("  ranker", f"rank {rank:,}", told))
    else:
        rows.append(("  ranker", "not asked", f"{found.candidates:,} others were candidates"))
    passed = found.dropped_by or ("passed" if found.ranked else "not asked")
    dropped = ", ".join(f"{name} {count:,}" for name, count in found.dropped.items())
    rows.append(("  rules", passed, f"of all candidates they dropped {dropped or 'none'}"))
    for acted in found.merchandised:
        told = f"{acted.name}: {acted.rule}"
        rows.append(("  merchandisers' rule", _DEEDS[acted.deed, acted.on_other], told))
    rows.append(("  list", *_stands(found.standing, f"of {found.entries:,}")))
    rows.append(("  the other way round", *_stands(found.reverse, "in the other's list")))
    shown.print(table([("", "left"), ("", "left"), ("", "fold")], rows))


def _stands(standing: Standing | None, of: str) -> tuple[str, str]:
    if standing is None:
        return "not there", ""
    return f"rank {standing.rank}", f"{of}, score {standing.score:.3f}, {standing.evidence}"
