"""`recommender cluster`."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from recommender.build.job import Job
from recommender.cli.cluster_page import page
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, progress, table
from recommender.core.catalogue import Catalogue
from recommender.core.documents import clean
from recommender.core.vectors import Embeddings, joined_content
from recommender.errors import ConfigError
from recommender.insights.clusters import Clustering, Clusters, drawn_for_map, projected
from recommender.pipeline import content_embeddings, read_shop_columns
from recommender.settings.loading import load_without_file
from recommender.settings.model import Settings

SHOWN, EXAMPLES, EXAMPLE_WIDTH = 40, 3, 62
UNNAMED = "(various)"


def run(options: argparse.Namespace) -> int:
    """Group a catalogue, or any table with an id and a text column, and show the groups."""
    settings = _of_table(options) if options.table else settings_of(options)
    clustering = Clustering(k=_number(options.k))
    catalogue, content = _embedded(settings.job(progress))
    titles = [clean(title) for title in catalogue.title]
    clusters = clustering.fit(titles, content.matrix)
    if options.csv is not None:
        _write_csv(options.csv, catalogue, titles, clusters)
    if options.html is not None:
        rows = drawn_for_map(clusters.label)
        with progress("draw the map", 1) as advance:
            places = projected(content.matrix[rows])
            advance(1)
        name = options.table.name if options.table else settings.shop
        made = page(name, [catalogue.ids.ids[row] for row in rows], titles, clusters, rows, places)
        _write(options.html, made)
    _print(clusters, titles)
    return 0


def _of_table(options: argparse.Namespace) -> Settings:
    """Settings that read a table as a catalogue and nothing else."""
    if not (options.id and options.text):
        raise ConfigError("--table needs --id COLUMN and --text COLUMN (repeatable)")
    if options.config:
        raise ConfigError("--table and --config: give one of them")
    if not options.table.is_file():
        raise ConfigError(f"--table {options.table}: no such file")
    return load_without_file(
        {
            "shop": "table",
            "catalogue": {
                "path": str(options.table.resolve()),
                "columns": {"item": options.id, "title": options.text}
                | dict.fromkeys(("description", "brand", "category"), "")
                | dict.fromkeys(("price", "group", "in_stock", "available_from"), ""),
            },
        },
        options.assignments,
    )


def _number(given: str) -> int:
    if given == "auto":
        return 0
    if not (given.isascii() and given.isdigit() and int(given) >= 2):
        raise ConfigError(f"--k {given}: give a number of at least 2, or auto")
    return int(given)


def _embedded(job: Job) -> tuple[Catalogue, Embeddings]:
    read, catalogue, _ = read_shop_columns(job)
    return catalogue, joined_content(content_embeddings(job, read))


def _print(clusters: Clusters, titles: Sequence[str]) -> None:
    shown = console()
    rows = [
        (
            group.name or UNNAMED,
            f"{len(group.rows):,}",
            _examples(group.rows.tolist(), titles),
        )
        for group in clusters.groups[:SHOWN]
    ]
    shown.print(table([("group", "left"), ("items", "right"), ("most typical", "fold")], rows))
    more = len(clusters.groups) - SHOWN
    if more > 0:
        shown.print(f"and {more:,} more; --csv FILE and --html FILE have all")
    without = int((clusters.label < 0).sum())
    told = f", {without:,} items have no text" if without else ""
    shown.print(f"\n{len(clusters.groups):,} groups of {len(titles) - without:,} items{told}.")


def _examples(rows: Sequence[int], titles: Sequence[str]) -> str:
    joined = "; ".join(list(dict.fromkeys(titles[row] for row in rows))[:EXAMPLES])
    return joined if len(joined) <= EXAMPLE_WIDTH else f"{joined[: EXAMPLE_WIDTH - 1]}…"


def _write_csv(path: Path, catalogue: Catalogue, titles: Sequence[str], clusters: Clusters) -> None:
    names = [group.name for group in clusters.groups]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["item", "cluster", "name", "title"])
            for item, number, title in zip(
                catalogue.ids.ids, clusters.label.tolist(), titles, strict=True
            ):
                known = number >= 0
                writer.writerow(
                    [item, number if known else "", names[number] if known else "", title]
                )
    except OSError as error:
        raise ConfigError(f"--csv {path}: {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--html {path}: {error.strerror}") from error
