"""A small shop whose texts and ids are meant to break pages."""

import csv
import io
from pathlib import Path

from tests.support.shop_files import SETTINGS, write_shop

LONG = "A very long title " * 28
TITLES = {
    "plain-1": "Garden chair, green",
    "plain-2": "Garden table, green",
    "<script>alert(1)</script>": "<script>alert('title')</script>",
    '"><img src=x onerror=alert(1)>': '"><img src=x onerror=alert(1)>',
    "a/b": "Slash in the id",
    "a?b=c&d#e": "Question mark, ampersand and hash in the id",
    "../../etc/passwd": "Dots in the id",
    "100%25": "Percent in the id",
    "{{7*7}}": "{{ 7*7 }} {% raw %} ${7*7}",
    "javascript:alert(1)": "javascript:alert(1)",
    "ערך": "\u202eright to left\u202c עברית ועוד עברית",
    "🧨": "🧨🧨🧨 👩‍👩‍👧‍👦 emoji \U0001f3f3\ufe0f",
    "long": LONG,
    "unbroken": "W" * 500,
    "=1+1": "=HYPERLINK(1)",
    "' OR 1=1 --": "=HYPERLINK(1)",
    "tab\u00a0space": "No-break\u00a0space",
    "</textarea></script>": "</textarea></script></style>",
    "zero\u200bwidth": "Zero\u200bwidth and combining Z̸̢̛͕a̷l̵g̶o̷",
    "data-x='1' onload='x'": "quote ' and ` and \\",
}
"""Titles by item id."""


def write_hostile_shop(folder: Path) -> Path:
    """Write its files and return its settings file."""
    catalogue, orders = io.StringIO(), io.StringIO()
    rows = csv.writer(catalogue)
    rows.writerow(["item_id", "title", "brand", "category", "price", "image", "url"])
    for number, (item, title) in enumerate(TITLES.items()):
        bad = "javascript:alert(1)" if number % 2 else "https://pictures.example/<x>.png"
        rows.writerow([item, title, f"<b>{number}", "A > <i>B</i>", 3.5 + number, bad, bad])
    lines = csv.writer(orders)
    lines.writerow(["item_id", "user_id", "order_id", "time"])
    ids = list(TITLES)
    for basket in range(60):
        for step in range(3):
            item = ids[(basket + step * (1 + basket % 4)) % len(ids)]
            lines.writerow([item, f"u{basket % 9}", f"b{basket}", f"2026-0{1 + basket % 9}-03"])
    return write_shop(folder, orders.getvalue(), catalogue=catalogue.getvalue(), settings=SETTINGS)
