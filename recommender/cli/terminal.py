"""Output of commands: tables, JSON and files; progress and the state of a run on stderr."""

import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
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

from recommender.artifacts.runs import find_run
from recommender.artifacts.store import ArtifactStore
from recommender.core.spreadsheet import harmless
from recommender.core.telemetry import Advance
from recommender.errors import ArtifactError, ConfigError

WIDTH = 100
EVERY_S = 30
LONG_STAGE_S = 10
REFRESHES_PER_S = 2


def console() -> Console:
    """The console of results, at most 100 columns wide."""
    plain = Console()
    width = min(WIDTH, plain.width) if plain.is_terminal else WIDTH
    return Console(highlight=False, markup=False, width=width)


Column = str | tuple[str, str]
"""A heading, or a heading with `right`, `cut` or `wrap`."""


def right(*headings: str) -> list[Column]:
    """Columns whose cells are aligned to the right."""
    return [(heading, "right") for heading in headings]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | int]]) -> Table:
    """A table without frames, and without a line of headings when all are empty.

    Where the terminal is too narrow, texts in columns with `cut`, such as titles, end with an
    ellipsis, and those with `wrap` take several lines. Other cells, such as ids, are never cut.
    Cells are shown literally: text of a shop is never read as markup.
    """
    named = [(column, "left") if isinstance(column, str) else column for column in columns]
    headed = any(heading for heading, _ in named)
    made = Table(
        box=None, pad_edge=False, show_header=headed, header_style="bold", padding=(0, 2, 0, 0)
    )
    for heading, layout in named:
        made.add_column(
            heading,
            justify="right" if layout == "right" else "left",
            no_wrap=layout not in {"cut", "wrap"},
        )
    for row in rows:
        cells = [cell if isinstance(cell, str) else f"{cell:,}" for cell in row]
        made.add_row(
            *(
                Text(cell, no_wrap=True, overflow="ellipsis")
                if layout == "cut"
                else Text(cell, no_wrap=False, overflow="fold")
                for cell, (_, layout) in zip(cells, named, strict=True)
            )
        )
    return made


def cut(text: str, width: int) -> str:
    """The text, shortened with an ellipsis when it is wider than `width` characters."""
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 rule`, `2 rules`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def print_cut(shown: Console, text: str, style: str = "") -> None:
    """Print text that is shortened to the width of the console."""
    line = Text(text, style=style)
    line.truncate(shown.width, overflow="ellipsis")
    shown.print(line)


def print_json(content: object) -> None:
    """Print JSON in one line."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")


@contextmanager
def written(option: str, path: Path) -> Iterator[None]:
    """Report a file that cannot be written as a fault of the option that names it.

    Raises: ConfigError.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{option} {path}: {error.strerror}") from error


def write(option: str, path: Path, text: str) -> None:
    """Write a text file that an option names. Raises: ConfigError."""
    with written(option, path):
        path.write_text(text, encoding="utf-8")


def write_csv(option: str, path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file that an option names, its columns first. Raises: ConfigError.

    A spreadsheet would run text that begins like a formula, so an apostrophe is put before it.
    """
    with written(option, path), path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([harmless(cell) for cell in row] for row in rows)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say on a terminal what takes long while the block runs; elsewhere say nothing."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(what):
        yield


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show a progress bar on stderr, or a line every half minute when it is not a terminal."""
    if not sys.stderr.isatty():
        yield ProgressLines(what, total).advance
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
class ProgressLines:
    """Progress as lines on stderr, at least `EVERY_S` seconds apart, for logs."""

    what: str
    total: int
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    started: float = field(init=False)
    reported: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.reported = self.clock()

    def advance(self, units: int) -> None:
        """Count so many more units as done."""
        self.done += units
        now = self.clock()
        if now - self.reported < EVERY_S or not 0 < self.done < self.total:
            return
        self.reported = now
        left = (now - self.started) * (self.total - self.done) / self.done
        sys.stderr.write(
            f"{self.what}: {self.done:,} of {self.total:,}, about {duration(left)} left\n"
        )


def duration(seconds: float) -> str:
    """Minutes and seconds, and hours if there are any: 0:07, 12:40, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The stages of a published run, in order, with the seconds that each took."""

    id: str
    stages: Sequence[tuple[str, float]]

    @classmethod
    def newest(cls, store: ArtifactStore) -> "EarlierRun | None":
        """The newest published run, or None."""
        for number in store.runs():
            with suppress(ArtifactError):  # a damaged record costs the estimate, not the run
                run = find_run(store, number)
                if run is not None and run.state == "published":
                    return cls(run.id, [(stage["stage"], stage["seconds"]) for stage in run.stages])
        return None


@dataclass(slots=True)
class RunLine:
    """The current stage of a run and the time left, estimated from an earlier run.

    On a terminal it is one line that is updated; otherwise a line on stderr follows every long
    stage. `passed` counts the stages of the earlier run that are done; a stage that the earlier
    run did not have leaves it unchanged.
    """

    earlier: EarlierRun | None
    clock: Callable[[], float] = time.monotonic
    current: str = ""
    began: float = 0.0
    passed: int = 0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the line on the terminal while the block runs."""
        if not sys.stderr.isatty():
            yield
            return
        with Live(
            get_renderable=self.line,
            console=Console(stderr=True),
            refresh_per_second=REFRESHES_PER_S,
            transient=True,
        ):
            yield

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Make `name` the current stage while the block runs."""
        self.current, self.began = name, self.clock()
        place = self._place()
        yield
        if place is not None:
            self.passed = place + 1
        seconds, self.current = self.clock() - self.began, ""
        if not sys.stderr.isatty() and seconds >= LONG_STAGE_S:
            sys.stderr.write(f"{name}: {duration(seconds)}{self._outlook()}\n")

    def line(self) -> Text:
        """The stage with its time, the time of the run, and the time left."""
        now = self.clock()
        stage = f"{self.current:<32} {duration(now - self.began)}, " if self.current else ""
        return Text(f"{stage}run {duration(now - self.started)}{self._outlook()}", style="dim")

    def left(self) -> float | None:
        """Seconds that the remaining stages took in the earlier run; None without one."""
        if self.earlier is None:
            return None
        place = self._place()
        ahead = self.earlier.stages[self.passed if place is None else place + 1 :]
        left = sum(seconds for _, seconds in ahead)
        if place is not None:
            left += max(0.0, self.earlier.stages[place][1] - (self.clock() - self.began))
        return left

    def _place(self) -> int | None:
        """The position of the current stage among those of the earlier run that are not done."""
        stages = [name for name, _ in self.earlier.stages] if self.earlier else []
        if self.current not in stages[self.passed :]:
            return None
        return stages.index(self.current, self.passed)

    def _outlook(self) -> str:
        left = self.left()
        if left is None or self.earlier is None:
            return ""
        return f", about {duration(left)} left if as in run {self.earlier.id}"
