"""Charts as inline SVG: dots with intervals, curves and bars. Every text is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median

from recommender.evaluation.intervals import Interval

INK, MUTED, RULE = "#1f2933", "#66727f", "#e3e7eb"
OURS, OTHER, WORSE = "#0072b2", "#8a949e", "#d55e00"
PALETTE = (OURS, "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a900", "#8a949e", INK)
PLAIN, BOLD = 'font-size="13"', 'font-size="13" font-weight="600"'
SMALL = 'font-size="11"'
WIDEST = 3
ROW, LABELS, HEAD, FOOT = 24, 190, 44, 26


def dot_grid(
    rows: Sequence[str],
    columns: Mapping[str, Mapping[str, Interval]],
    *,
    emphasised: str = "",
    signed: bool = False,
    width: int = 1000,
) -> str:
    """A panel per column, a dot with its interval per row; intervals by row name, some absent.

    Panels have scales of their own, from 0 unless `signed`, where a line marks 0. Of signed dots
    those are coloured whose interval lies on one side of it, and those far out are arrows.
    """
    panel = (width - LABELS) / max(len(columns), 1)
    height = HEAD + ROW * len(rows) + FOOT
    parts = [
        _text(
            LABELS - 12,
            HEAD + ROW * (place + 0.5) + 4,
            _cut(name, 26),
            "end",
            colour=OURS if name == emphasised else INK,
            font=BOLD if name == emphasised else PLAIN,
        )
        for place, name in enumerate(rows)
    ]
    for number, (heading, found) in enumerate(columns.items()):
        left = LABELS + panel * number
        scale = _scale(found.values(), left + 8, left + panel - 14, signed=signed)
        name, _, size = heading.partition("\n")
        parts += [_text(left + 8, 16, _cut(name, int(panel / 7)), font=BOLD)]
        parts += [_text(left + 8, 32, size, colour=MUTED, font=SMALL)]
        parts += _axis(scale, height)
        for place, row in enumerate(rows):
            if row in found:
                parts.append(
                    _dot(scale, HEAD + ROW * (place + 0.5), row, found[row], row == emphasised)
                )
    return _svg(width, height, parts)


def curves(named: Mapping[str, Sequence[float]], emphasised: str, width: int = 1000) -> str:
    """One line per name over 1, 2, 3, ...; values in 0..1, labelled where the lines end."""
    height, left, right, top, bottom = 330, 44, width - 200, 14, 290
    steps = max(len(values) for values in named.values())

    def at(place: int, value: float) -> tuple[float, float]:
        across = left + (right - left) * place / max(steps - 1, 1)
        return across, bottom - (bottom - top) * value

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = at(0, share)[1]
        parts += [_line(left, y, right, y, RULE), _text(left - 8, y + 4, f"{share:.0%}", "end")]
    for place in range(steps):
        parts.append(_text(at(place, 0)[0], bottom + 20, str(place + 1), "middle", colour=MUTED))
    ends = _apart([at(steps - 1, values[-1])[1] for values in named.values()], 15, bottom)
    for number, (name, values) in enumerate(named.items()):
        colour = PALETTE[number % len(PALETTE)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, range(steps), values))
        thick = 3 if name == emphasised else 1.6
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{thick}"/>'
        )
        x, y = at(steps - 1, values[-1])
        parts.append(_line(x + 3, y, x + 20, ends[number], colour))
        label = f"{_cut(name, 20)}  {values[-1]:.0%}"
        parts.append(
            _text(
                x + 24,
                ends[number] + 4,
                label,
                colour=INK,
                font=BOLD if name == emphasised else PLAIN,
            )
        )
    return _svg(width, height, parts)


def bars(groups: Sequence[str], named: Mapping[str, Sequence[float]], width: int = 1000) -> str:
    """Bars side by side in each group, one per name; values are shares in 0..1."""
    height, left, top, bottom = 320, 44, 40, 276
    most = max((max(values) for values in named.values()), default=0) or 1
    room = (width - left) / len(groups)
    thick = room * 0.78 / len(named)
    colours = ("#c3cad1", *PALETTE)
    parts = [_line(left, bottom, width, bottom, MUTED)]
    x = float(left)
    for number, name in enumerate(named):
        parts.append(_box(x, 6, 12, 12, colours[number]))
        parts.append(_text(x + 18, 16, _cut(name, 34)))
        x += 40 + 7 * min(len(name), 34)
    for place, group in enumerate(groups):
        start = left + room * (place + 0.11)
        parts.append(_text(left + room * (place + 0.5), bottom + 20, group, "middle"))
        for number, values in enumerate(named.values()):
            tall = (bottom - top - 14) * values[place] / most
            across = start + thick * number
            parts.append(_box(across, bottom - tall, thick - 2, tall, colours[number]))
            share = f"{values[place]:.0%}" if values[place] >= 0.005 else "0"
            parts.append(
                _text(across + thick / 2 - 1, bottom - tall - 5, share, "middle", MUTED, font=SMALL)
            )
    return _svg(width, height, parts)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values to pixels."""

    low: float
    high: float
    left: float
    right: float
    signed: bool = False

    def at(self, value: float) -> float:
        """Where a value stands."""
        return self.left + (self.right - self.left) * (value - self.low) / (self.high - self.low)


def _scale(means: Iterable[Interval], left: float, right: float, *, signed: bool) -> _Scale:
    found = list(means)
    high = max([one.high for one in found] + [0.001])
    if not signed:
        return _Scale(0.0, high, left, right)
    wide = WIDEST * median([abs(one.value) for one in found] or [0.0]) + 0.001
    low = min([one.low for one in found] + [0.0])
    return _Scale(max(low, -wide), min(high, wide), left, right, signed=True)


def _axis(scale: _Scale, height: int) -> list[str]:
    bottom = height - FOOT + 4
    zero = scale.at(0)
    parts = [_line(zero, HEAD - 4, zero, bottom, MUTED if scale.signed else RULE)]
    ends = ((scale.low, "start"), (scale.high, "end"))
    for value, anchor in ends:
        if value and (abs(scale.at(value) - zero) > 60):
            told = f"{value:+.3f}" if scale.signed else f"{value:.2f}"
            parts.append(_text(scale.at(value), bottom + 14, told, anchor, MUTED, SMALL))
    parts.append(_text(zero, bottom + 14, "0", "middle", MUTED, SMALL))
    return parts


def _dot(scale: _Scale, y: float, name: str, mean: Interval, emphasised: bool) -> str:
    colour = OURS if emphasised or (scale.signed and mean.low > 0) else OTHER
    if scale.signed and mean.high < 0:
        colour = WORSE
    told = escape(f"{name}: {mean.value:.4f} ({mean.low:.4f} to {mean.high:.4f})")
    left, right = (scale.at(min(max(end, scale.low), scale.high)) for end in (mean.low, mean.high))
    drawn = _line(left, y, right, y, colour, 2.4)
    if scale.low <= mean.value <= scale.high:
        drawn += f'<circle cx="{scale.at(mean.value):.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'
    else:
        drawn += _beyond(scale, y, mean.value, colour)
    return f"<g><title>{told}</title>{drawn}</g>"


def _beyond(scale: _Scale, y: float, value: float, colour: str) -> str:
    """An arrow at the edge, with the value that lies beyond it."""
    side = 1 if value > 0 else -1
    edge = scale.right if value > 0 else scale.left
    tip, back = edge + 5 * side, edge - 4 * side
    points = f"{tip:.1f},{y:.1f} {back:.1f},{y - 5:.1f} {back:.1f},{y + 5:.1f}"
    anchor = "end" if value > 0 else "start"
    label = _text(edge - 8 * side, y + 4, f"{value:+.3f}", anchor, colour, SMALL)
    return f'<polygon points="{points}" fill="{colour}"/>{label}'


def _apart(places: Sequence[float], gap: float, floor: float) -> list[float]:
    """The places, moved so that none is nearer than `gap` to the next, nor below `floor`."""
    moved = list(places)
    order = sorted(range(len(places)), key=lambda number: places[number])
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    below = floor + gap
    for number in reversed(order):
        moved[number] = min(moved[number], below - gap)
        below = moved[number]
    return moved


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="inherit">{"".join(parts)}</svg>'
    )


def _text(
    x: float, y: float, text: str, anchor: str = "start", colour: str = INK, font: str = PLAIN
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {font}>'
        f"{escape(text)}</text>"
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, thick: float = 1) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" '
        f'stroke="{colour}" stroke-width="{thick}"/>'
    )


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}" rx="1"/>'
    )
