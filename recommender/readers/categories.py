"""Categories: the paths of an item's categories, from cells such as `Garden > Tools, Sale`."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from recommender.core.arrays import text_codes
from recommender.core.catalogue import PATH_SEPARATOR

SEPARATORS = ("|", ";", ",")
"""What may be between the categories of a cell, where the settings do not say it."""
SAMPLE = 10_000
_LEVELS = re.compile(r"->|[>\u00bb\u203a\u2192]")
Split = Callable[[str], list[str]]


def category_paths(cells: Sequence[str], several: str, levels: str) -> list[str]:
    """The category paths of each cell, one a line, without repetitions.

    `several` is between categories and `levels` between the levels of one; a backslash before them
    makes them plain characters. Where `several` is empty, it is found from the cells. Where
    `levels` is empty, it is `>` or an arrow, or what shows itself with `several`.
    """
    codes, distinct = text_codes(cells)
    if not several:
        several, levels = _found(distinct[:SAMPLE], levels)
    split, cut = _splitting(several), _levels(levels)
    paths = []
    for cell in distinct:
        parts = (part for line in cell.split("\n") for part in split(line))
        paths.append("\n".join(dict.fromkeys(filter(None, (_path(part, cut) for part in parts)))))
    return [paths[code] for code in codes.tolist()]


def deepest(paths: str) -> tuple[str, str]:
    """The path with the most levels, of equals the first, and the others, one a line."""
    if "\n" not in paths:
        return paths, ""
    each = paths.split("\n")
    own = max(each, key=lambda path: path.count(PATH_SEPARATOR))
    return own, "\n".join(path for path in each if path != own)


def _found(cells: Sequence[str], levels: str) -> tuple[str, str]:
    """The separator of several categories that half of the cells that have it show, and of levels.

    A cell shows it where two of its parts begin with the same level, or where all of them occur in
    other cells too. So a comma within a name, as in `Food, Beverages & Tobacco`, is none.
    """
    for several in SEPARATORS:
        split = [_splitting(several)(cell) for cell in cells]
        many = [parts for parts in split if len(parts) > 1]
        if not many:
            continue
        for level in (levels,) if levels else ("", "/"):
            if 2 * sum(_one_root(parts, _levels(level)) for parts in many) >= len(many):
                return several, level
        uses = Counter(part for parts in split for part in set(parts))
        if 2 * sum(all(uses[part] > 1 for part in parts) for parts in many) >= len(many):
            return several, levels
    return "", levels


def _one_root(parts: Sequence[str], levels: Split) -> bool:
    """Whether two of the categories begin with the same level, and one of them has more."""
    each = [levels(part) for part in parts]
    roots = Counter(names[0] for names in each)
    return any(len(names) > 1 and roots[names[0]] > 1 for names in each)


def _path(text: str, levels: Split) -> str:
    return PATH_SEPARATOR.join(filter(None, levels(text)))


def _levels(separator: str) -> Split:
    if separator:
        return _splitting(separator)
    return lambda text: [part.strip() for part in _LEVELS.split(text)]


def _splitting(separator: str) -> Split:
    """Split a text, without white space around its parts; an empty separator splits nothing."""
    if not separator:
        return lambda text: [text.strip()]
    mark = re.compile(rf"(?<!\\){re.escape(separator)}")
    return lambda text: [
        part.replace(f"\\{separator}", separator).strip() for part in mark.split(text)
    ]
