"""`recommender reindex`."""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from recommender import pipeline
from recommender.build.job import Job
from recommender.cli.run_line import EarlierRun, RunLine
from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, progress, table
from recommender.core.telemetry import StageCost, Stopwatch
from recommender.errors import DataError
from recommender.pipeline import Outcome
from recommender.publishing.embedded import save
from recommender.settings.model import EMBEDDED, EvaluationSettings, Settings

MEBIBYTE = 1024 * 1024


def run(options: argparse.Namespace) -> int:
    """Bring the related lists of a shop up to date and say what was done."""
    reindex(settings_of(options), force=options.force, canary_share=options.canary)
    return 0


def reindex(settings: Settings, *, force: bool, canary_share: float = 0.0) -> Outcome:
    """Run the pipeline with progress on stderr, and print its closing table."""
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
        if outcome.published and settings.store.url == EMBEDDED:
            save(shop.store)
    shown = console()
    generation = outcome.generation
    if not outcome.published:
        shown.print(
            f"Nothing changed: generation {generation.id} of {settings.shop} stays live, "
            f"{generation.n_lists:,} lists. Publish again with --force."
        )
        return outcome
    _print_rows(shown, outcome.report)
    _print_costs(shown, job.stopwatch.costs)
    print_health(shown, outcome.report.get("health", {}))
    state = f"canary for {canary_share:.1%} of the requests" if canary_share else "live"
    shown.print(
        f"Generation {generation.id} of {settings.shop} is {state}: {generation.n_lists:,} related "
        f"lists with {generation.n_entries:,} entries."
    )
    _print_jumps(shown, outcome.jumps)
    if any(file["refused"] for file in outcome.report["files"]):
        shown.print(f"Refused rows: {job.quarantine}", soft_wrap=True)
    return outcome


def judge_of(evaluation: EvaluationSettings) -> pipeline.Judge:
    """What judges a recipe for its gate: the window before the test period, nothing made cold."""

    def judge(job: Job) -> float | None:
        from recommender.evaluation.harness import Terms, bench

        terms = Terms(days=evaluation.days, test_from=evaluation.test_from_s(), folds=0)
        try:
            judged = bench(job, terms).judge(job.recipe)
        except DataError as error:
            sys.stderr.write(f"recommender: not judged: {error}\n")
            return None
        return float(judged.slices["all"].metrics["ndcg"].value)

    return judge


def _print_rows(shown: Console, report: Mapping[str, Any]) -> None:
    rows = [
        (
            file["name"],
            f"{file['rows']:,}",
            f"{file['kept']:,}",
            f"{sum(file['left_out'].values()):,}",
            f"{sum(file['refused'].values()):,}",
        )
        for file in report["files"]
    ]
    headings = [
        ("input", "left"),
        ("rows", "right"),
        ("kept", "right"),
        ("left out", "right"),
        ("refused", "right"),
    ]
    shown.print(table(headings, rows))
    for file in report["files"]:
        for verb in ("left_out", "refused"):
            for reason, count in sorted(file[verb].items(), key=lambda pair: -pair[1]):
                shown.print(f"  {verb.replace('_', ' ')}: {reason}: {count:,}", markup=False)
    facts = [
        ("items", report["n_items"]),
        ("cold", report["cold_items"]),
        ("sold but not in the catalogue", report["absent_from_catalogue"]),
        ("replaced by a later row of the same id", report["duplicate_ids"]),
        ("texts cut", report["shortened"]),
        ("out of scope", report["out_of_scope"]),
        ("events older than limits.retention_days", report["too_old"]),
        *(
            (f"without a vector in content.{name}", count)
            for name, count in report.get("without_vector", {}).items()
        ),
    ]
    counts = [f"{count:,} {what}" for what, count in facts if count or what in {"items", "cold"}]
    shown.print(", ".join(counts) + ".")
    if rules := report.get("merchandising"):
        unknown = f"; unknown names in them: {rules['unknown']:,}, see recommender rules check"
        left_out = unknown if rules["unknown"] else ""
        shown.print(f"merchandisers' rules: {rules['rules']:,}{left_out}.")
    shown.print()


def _print_jumps(shown: Console, jumps: Sequence[Mapping[str, Any]]) -> None:
    if not jumps:
        return
    told = ", ".join(f"{one['item']} ({one['before']:,} to {one['after']:,})" for one in jumps[:3])
    more = f" and {len(jumps) - 3} more" if len(jumps) > 3 else ""
    shown.print(
        f"Entered the first five of many lists: {told}{more}. See recommender diff previous live.",
        markup=False,
    )


def print_health(shown: Console, health: Mapping[str, Any]) -> None:
    """Say which lists are short, and why, and how much two placements have in common."""
    rows = [
        (name, f"{found['lists']:,}", _reasons(found["by"]))
        for name, found in health.get("short", {}).items()
        if found["lists"]
    ]
    if rows:
        headings = [
            ("placement", "left"),
            ("short lists", "right"),
            ("candidates dropped a list", "left"),
        ]
        shown.print(table(headings, rows))
        shown.print()
    if health.get("overlap"):
        _print_overlap(shown, health["overlap"])


def _print_overlap(shown: Console, overlap: Sequence[Mapping[str, Any]]) -> None:
    shares = {tuple(pair["placements"]): f"{pair['share']:.0%}" for pair in overlap}
    names = list(dict.fromkeys(name for pair in shares for name in pair))
    rows = [
        (f"{number} {name}", *(shares.get((other, name), "") for other in names[:-1]))
        for number, name in enumerate(names, start=1)
    ]
    numbers = [(str(number), "right") for number in range(1, len(names))]
    shown.print(table([("first ten in common", "left"), *numbers], rows))
    shown.print()


def _reasons(by: Mapping[str, float]) -> str:
    ranked = sorted(by.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{stage} {count:,.1f}" for stage, count in ranked) or "few candidates"


def _print_costs(shown: Console, costs: Sequence[StageCost]) -> None:
    rows = [
        (
            cost.stage,
            "reused" if cost.reused else f"{cost.seconds:.1f}",
            "" if cost.reused else f"{cost.peak_bytes / MEBIBYTE:,.0f}",
        )
        for cost in costs
    ]
    total = sum(cost.seconds for cost in costs)
    peak = max((cost.peak_bytes for cost in costs), default=0)
    rows.append(("total", f"{total:.1f}", f"{peak / MEBIBYTE:,.0f}"))
    headings = [("stage", "left"), ("seconds", "right"), ("peak memory, MiB", "right")]
    shown.print(table(headings, rows))
    shown.print()
