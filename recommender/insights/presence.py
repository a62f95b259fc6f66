"""Presence: whether the inputs of a shop are there."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from recommender.errors import RecommenderError
from recommender.insights.diagnosis import Diagnosis
from recommender.readers.files import input_files
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import paths


def examine_inputs(paths: Iterable[str]) -> list[Diagnosis]:
    """Whether the input files exist."""
    findings = []
    try:
        files = input_files(tuple(paths), Path(), "inputs", "csv")
    except RecommenderError as error:
        return [Diagnosis("input", "fault", str(error))]
    for path in (file.path for file in files):
        there = path.is_file()
        size = f" ({_size(path.stat().st_size)})" if there else " does not exist"
        findings.append(Diagnosis("input", "ok" if there else "fault", f"{path}{size}"))
    return findings


def examine_presence(source: ShopSource) -> Iterator[Diagnosis]:
    """Whether all inputs of a shop are there, or can be copied from where they are."""
    given = (source.catalogue.path, *(part.path for part in source.interactions))
    here = [path for each in given for path in paths(each) if "://" not in path]
    yield from examine_inputs(here)
    yield from examine_copies(source)


def examine_copies(source: ShopSource) -> Iterator[Diagnosis]:
    """Whether inputs behind URLs and in databases can be copied; of a query, the first rows are."""
    for origin in source.origins():
        try:
            source.copies.fetch(origin)
            for shown, path in source.copies.found(origin):
                text = f"{shown}: copied ({_size(path.stat().st_size)})"
                yield Diagnosis("input", "ok", text)
        except RecommenderError as error:
            yield Diagnosis("input", "fault", str(error))


def _size(n_bytes: int) -> str:
    kib = n_bytes / 1024
    return f"{kib:,.1f} KiB" if kib < 1024 else f"{kib / 1024:,.1f} MiB"
