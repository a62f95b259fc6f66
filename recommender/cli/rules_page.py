"""The page of `recommender rules preview --html`: one file, nothing from elsewhere, no script."""

from collections.abc import Sequence
from html import escape

from recommender.cli.diff_page import POLICY, STYLE
from recommender.live.rule_changes import Preview, PreviewedEntry, PreviewedList
from recommender.merchandising.rule_set import RuleSet

OWN_STYLE = """
.rule { border: 1px solid var(--line); border-radius: 4px; padding: 0 .35rem; font-size: .75rem;
  opacity: .8; margin-left: .4rem; } p.by { margin: .5rem .9rem 0; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; } td { padding: .15rem .9rem .15rem 0;
  vertical-align: top; } details { margin: 1rem 0; } summary { cursor: pointer; }
"""


def page(shop: str, file: str, rules: RuleSet, found: Preview) -> str:
    """The page; every text of the shop is escaped."""
    title = f"{shop}: {file} over the live {found.placement} lists"
    figures = (
        ("valid rules", f"{len(rules.rules):,}"),
        ("lists", f"{found.n_lists:,}"),
        (f"differ in their first {found.shown}", f"{found.n_changed:,}"),
    )
    counts = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    lists = "".join(_list(one, found.shown) for one in found.lists)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}{OWN_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><dl>{counts}</dl>",
        _rules(rules),
        "<h2>Lists that change most</h2>",
        lists or '<p class="none">No list differs in what a page shows.</p>',
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _rules(rules: RuleSet) -> str:
    rows = "".join(
        f"<tr><td>{escape(rule.name)}</td><td>{escape(str(rule))}"
        f"{_lists_of(str(rule.lists_of), everywhere=rule.in_every_list or bool(rule.pairs))}"
        "</td></tr>"
        for rule in rules.rules
    )
    return f"<details><summary>The rules</summary><table>{rows}</table></details>"


def _lists_of(selection: str, *, everywhere: bool) -> str:
    return "" if everywhere else f" <small>in lists of {escape(selection)}</small>"


def _list(one: PreviewedList, shown: int) -> str:
    by = f'<p class="by">By {escape(", ".join(one.rules))}</p>' if one.rules else ""
    return (
        f"<section><h3><span>{_named(one.title, one.item)}</span>"
        f"<small>{one.n_new} of {shown} are new</small></h3>{by}"
        f'<div class="sides"><div><h4>Before</h4>{_entries(one.before, "gone")}</div>'
        f"<div><h4>After</h4>{_entries(one.after, 'come')}</div></div></section>"
    )


def _entries(entries: Sequence[PreviewedEntry], mark: str) -> str:
    if not entries:
        return '<p class="none">no entry</p>'
    return f"<ol>{''.join(_entry(entry, mark) for entry in entries)}</ol>"


def _entry(entry: PreviewedEntry, mark: str) -> str:
    style = "" if entry.stays else f' class="{mark}"'
    by_rule = '<span class="rule">rule</span>' if entry.evidence == "rule" else ""
    return f"<li{style}>{_named(entry.title, entry.item)}{by_rule}</li>"


def _named(title: str, item: str) -> str:
    return f"{escape(title) or 'no title'} <small>{escape(item)}</small>"
