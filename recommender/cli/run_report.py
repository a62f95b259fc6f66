"""What a reindex prints of its run."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from recommender.cli.terminal import right, table
from recommender.core.telemetry import StageCost
from recommender.vectors.content.vocabulary import advice

MEBIBYTE = 1024 * 1024


def print_run(shown: Console, report: Mapping[str, Any], costs: Sequence[StageCost]) -> None:
    """Print what was read, what each stage cost, what orders the lists, and how they are."""
    _print_rows(shown, report)
    for warning in report.get("warnings", ()):
        shown.print(f"Warning: {warning}", soft_wrap=True, markup=False)
    _print_costs(shown, costs)
    _print_rankers(shown, report.get("rankers", {}))
    print_health(shown, report.get("health", {}))


def _print_rows(shown: Console, report: Mapping[str, Any]) -> None:
    rows = [
        (
            file["name"],
            file["rows"],
            file["kept"],
            sum(file["left_out"].values()),
            sum(file["refused"].values()),
        )
        for file in report["files"]
    ]
    shown.print(table(["input", *right("rows", "kept", "left out", "refused")], rows))
    for file in report["files"]:
        for verb in ("left_out", "refused", "noted"):
            for reason, count in sorted(file.get(verb, {}).items(), key=lambda pair: -pair[1]):
                shown.print(f"  {verb.replace('_', ' ')}: {reason}: {count:,}")
    facts = [
        ("items", report["n_items"]),
        ("cold", report["cold_items"]),
        ("sold but not in the catalogue", report["absent_from_catalogue"]),
        ("not for sale", report.get("not_for_sale", 0)),
        ("in several categories", report.get("in_several_categories", 0)),
        ("further rows of the same id", report["duplicate_ids"]),
        ("texts cut", report["shortened"]),
        ("out of scope", report["out_of_scope"]),
        ("events older than limits.retention_days", report["too_old"]),
        ("events of cancelled orders", report.get("of_cancelled_orders", 0)),
        ("events returned", report.get("returned", 0)),
        ("events of hidden variants, counted for their product", report.get("of_variants", 0)),
        *(
            (f"without a vector in content.{name}", count)
            for name, count in report.get("without_vector", {}).items()
        ),
    ]
    parts = [f"{count:,} {what}" for what, count in facts if count or what in {"items", "cold"}]
    shown.print(", ".join(parts) + ".")
    for sentence, count in report.get("boilerplate", {}).items():
        shown.print(f"  left out of {count:,} descriptions: {sentence!r:.80}")
    _print_images(shown, report.get("images", {}))
    for name, scripts in report.get("unknown_words", {}).items():
        for line in advice(name, scripts):
            shown.print(line, style="bold")
    if rules := report.get("merchandising"):
        unknown = f"; unknown names in them: {rules['unknown']:,}, see recommender rules check"
        left_out = unknown if rules["unknown"] else ""
        shown.print(f"merchandisers' rules: {rules['rules']:,}{left_out}.")
    shown.print()


def _print_images(shown: Console, by_origin: Mapping[str, Any]) -> None:
    """Print what is wrong with the pictures of each content origin."""
    for name, images in by_origin.items():
        if images["without"]:
            shown.print(f"content.{name}: {images['without']:,} items name no picture.")
        for fault in images["faults"]:
            shown.print(
                f"content.{name}: {fault['items']:,} items without a vector: {fault['reason']}, "
                f"such as {fault['example']}",
                style="bold",
            )


def _print_rankers(shown: Console, rankers: Mapping[str, Any]) -> None:
    """Print what orders the lists where a ranker learned.

    That is also how much the trees gained on the best simple order, and how many questions were
    held out to ask that.
    """
    rows = [
        (
            name,
            "together" if found.get("together", True) else "next",
            found.get("order", "item vectors"),
            f"{found['trees_gain']:+.1%} on {found['best_simple']}"
            if "trees_gain" in found
            else "too little to learn from",
            f"{found.get('held_out', 0):,}",
        )
        for name, found in rankers.items()
    ]
    if rows:
        headings = ["placement", "learned what is taken", "order", "trees", *right("asked")]
        shown.print(table(headings, rows))
        shown.print()


def print_health(shown: Console, health: Mapping[str, Any]) -> None:
    """Print which lists are short and why, and how much the lists of two placements share."""
    rows = [
        (name, found["lists"], _reasons(found["by"]))
        for name, found in health.get("short", {}).items()
        if found["lists"]
    ]
    if rows:
        headings = ["placement", *right("short lists"), "candidates dropped per list"]
        shown.print(table(headings, rows))
        shown.print()
    if any(health.get("same_title", {}).values()):
        counts = ", ".join(f"{name} {n:,}" for name, n in health["same_title"].items())
        shown.print(f"left out of lists that have the same title already: {counts}.\n")
    if health.get("overlap"):
        _print_overlap(shown, health["overlap"])


def _print_overlap(shown: Console, overlap: Sequence[Mapping[str, Any]]) -> None:
    shares = {tuple(pair["placements"]): f"{pair['share']:.0%}" for pair in overlap}
    names = list(dict.fromkeys(name for pair in shares for name in pair))
    rows = [
        (f"{number} {name}", *(shares.get((other, name), "") for other in names[:-1]))
        for number, name in enumerate(names, start=1)
    ]
    numbers = right(*map(str, range(1, len(names))))
    shown.print(table(["first ten in common", *numbers], rows))
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
    shown.print(table(["stage", *right("seconds", "peak memory, MiB")], rows))
    shown.print()


def print_jumps(shown: Console, jumps: Sequence[Mapping[str, Any]]) -> None:
    """Print which items entered the first entries of many lists."""
    if not jumps:
        return
    items = ", ".join(f"{one['item']} ({one['before']:,} to {one['after']:,})" for one in jumps[:3])
    more = f" and {len(jumps) - 3} more" if len(jumps) > 3 else ""
    shown.print(
        f"Entered the first five of many lists: {items}{more}. See recommender diff previous live.",
    )
