"""What the terminal shows: tables on stdout, progress on stderr."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from recommender.core.telemetry import Advance

WIDTH = 100
EVERY_S = 30


def console() -> Console:
    """The console of results, at most 100 columns wide."""
    plain = Console(highlight=False, soft_wrap=False)
    return Console(highlight=False, width=min(WIDTH, plain.width) if plain.is_terminal else WIDTH)


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """A bar with the time left on stderr, or a line every half minute where it is no terminal."""
    if not sys.stderr.isatty():
        yield Lines(what, total).advance
        return
    with Progress(
        TextColumn("{task.description:<32}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        task = bars.add_task(what, total=total)
        yield lambda units: bars.advance(task, units)


@dataclass(slots=True)
class Lines:
    """How far something is, on stderr, in lines `EVERY_S` apart: for logs."""

    what: str
    total: int
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    started: float = field(init=False)
    told: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.told = self.clock()

    def advance(self, units: int) -> None:
        """So many units more are done."""
        self.done += units
        now = self.clock()
        if now - self.told < EVERY_S or not 0 < self.done < self.total:
            return
        self.told = now
        left = (now - self.started) * (self.total - self.done) / self.done
        sys.stderr.write(
            f"{self.what}: {self.done:,} of {self.total:,}, about {duration(left)} left\n"
        )


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are some: 0:07, 12:40, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> Table:
    """A table without frames; a column is a heading and `left`, `right`, `fold` or `wrap`.

    Where no column has a heading, there is no line of them.

    Cells are shown as they are: a shop's text is never read as mark-up.
    """
    headed = any(heading for heading, _ in columns)
    made = Table(
        box=None, pad_edge=False, show_header=headed, header_style="bold", padding=(0, 2, 0, 0)
    )
    for heading, layout in columns:
        made.add_column(
            heading,
            justify="right" if layout == "right" else "left",
            overflow="fold" if layout == "wrap" else "ellipsis",
            no_wrap=layout != "wrap",
            ratio=1 if layout == "fold" else None,
        )
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made
