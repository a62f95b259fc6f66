"""The page of `recommender diff --html`: one file, nothing from elsewhere, no script."""

from collections.abc import Sequence
from html import escape

from recommender.insights.diff import ChangedList, Difference, Entry, Release

ORPHANS_SHOWN, JUMPS_SHOWN = 50, 20

STYLE = """
:root { color-scheme: light dark; --line: #8884; --come: #0a7d33; --gone: #b3261e; --soft: #8882; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
.held { border-left: 4px solid var(--gone); background: var(--soft); padding: .5rem .9rem; }
.held p { margin: .2rem 0; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
dl div { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; min-width: 6rem; }
dt { font-size: .8rem; opacity: .75; } dd { margin: 0; font-size: 1.3rem; }
section { border: 1px solid var(--line); border-radius: 8px; margin: 1rem 0; overflow: hidden; }
section h3 { font-size: 1rem; margin: 0; padding: .6rem .9rem; background: var(--soft);
  display: flex; justify-content: space-between; gap: 1rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; }
.sides > div { padding: .5rem .9rem .7rem; min-width: 0; }
.sides > div + div { border-left: 1px solid var(--line); }
.sides h4 { margin: 0 0 .2rem; font-size: .8rem; font-weight: 600; opacity: .75; }
ol { margin: 0; padding-left: 1.6rem; } li, td { overflow-wrap: anywhere; }
.come { color: var(--come); font-weight: 600; } .gone { color: var(--gone); font-weight: 600; }
small { opacity: .65; font-weight: normal; } .none { opacity: .65; margin: 0; }
@media (prefers-color-scheme: dark) { :root { --come: #5fd38a; --gone: #ff8a80; } }
@media (max-width: 40rem) { .sides { grid-template-columns: 1fr; }
  .sides > div + div { border-left: 0; border-top: 1px solid var(--line); } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(shop: str, old: Release, new: Release, found: Sequence[Difference]) -> str:
    """The page; every text of the shop is escaped."""
    title = f"{shop}: {old.number} ({old.role}) beside {new.number} ({new.role})"
    held = "".join(f"<p>Held: {escape(reason)}</p>" for reason in new.held)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<div class="held">{held}</div>' if held else "",
        *(_placement(one, old, new) for one in found),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _placement(one: Difference, old: Release, new: Release) -> str:
    figures = (
        ("items in both", f"{one.n_common:,}"),
        ("new items", f"{one.n_new:,}"),
        ("items gone", f"{one.n_gone:,}"),
        ("lists changed", f"{one.n_changed:,}"),
        ("only reordered", f"{one.n_reordered:,}"),
        ("churn@10", f"{one.churn:.1%}"),
        ("orphaned", f"{len(one.orphaned):,}"),
    )
    counts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    changed = "".join(_changed(each, old, new) for each in one.best_sellers)
    unchanged = '<p class="none">No list of a best seller changed.</p>'
    return (
        f"<h2>{escape(one.placement)}</h2><dl>{counts}</dl>"
        f"<h2>Best sellers whose lists changed most</h2>{changed or unchanged}"
        f"{_jumps(one)}{_orphans(one)}"
    )


def _changed(one: ChangedList, old: Release, new: Release) -> str:
    return (
        f"<section><h3><span>{_named(one.title, one.item)}</span>"
        f'<small>{one.kept:.0%} stays</small></h3><div class="sides">'
        f"<div><h4>{old.number} ({escape(old.role)})</h4>{_entries(one.before, 'gone')}</div>"
        f"<div><h4>{new.number} ({escape(new.role)})</h4>{_entries(one.after, 'come')}</div>"
        "</div></section>"
    )


def _entries(entries: Sequence[Entry], mark: str) -> str:
    if not entries:
        return '<p class="none">no entry of its own</p>'
    items = "".join(
        f"<li>{_named(entry.title, entry.item)}</li>"
        if entry.stays
        else f'<li class="{mark}">{_named(entry.title, entry.item)}</li>'
        for entry in entries
    )
    return f"<ol>{items}</ol>"


def _jumps(one: Difference) -> str:
    if not one.jumps:
        return ""
    items = "".join(
        f"<li>{_named(jump.title, jump.item)}: {jump.before:,} to {jump.after:,} lists</li>"
        for jump in one.jumps[:JUMPS_SHOWN]
    )
    return f"<h2>Entered the first five of many lists</h2><ul>{items}</ul>"


def _orphans(one: Difference) -> str:
    if not one.orphaned:
        return ""
    items = "".join(
        f"<li>{_named(title, item)}</li>" for item, title in one.orphaned[:ORPHANS_SHOWN]
    )
    more = len(one.orphaned) - ORPHANS_SHOWN
    rest = f'<p class="none">and {more:,} more</p>' if more > 0 else ""
    return f"<h2>Orphaned: in no list any more</h2><ul>{items}</ul>{rest}"


def _named(title: str, item: str) -> str:
    return f"{escape(title) or 'no title'} <small>{escape(item)}</small>"
