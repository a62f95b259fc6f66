"""Shop source: all settings that decide what is read, and the files that they name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recommender.core.catalogue import DOCUMENT_FORMAT
from recommender.errors import ConfigError
from recommender.readers.fetching import Copies, Origin
from recommender.readers.files import InputFile, fingerprint, input_files
from recommender.readers.sources import CatalogueSource, InteractionSource, paths
from recommender.readers.tables import ROWS_MAX

FORMAT = 6
"""Raised when the same files and settings are read with another result."""


SAMPLED_ITEMS = 1_000_000
SAMPLED_EVENTS = 50_000
"""The first rows of a query that a sample has, of the catalogue and of interactions."""


@dataclass(frozen=True, slots=True)
class ShopSource:
    """Everything that the result of reading depends on; paths are relative to `base`.

    `copies` has local copies of what lies elsewhere: files behind URLs, and results of queries, of
    a `sample` the first rows.
    Interactions more than `retention_days` older than the newest are left out; 0 keeps all. Times
    after `as_of` (epoch seconds) are clipped to it; with 0, those that are far after all others.
    More than `rows_max` rows in all files are an error.
    Less than `joined_share_min` of a source's events with items of the catalogue is an error.
    Without a catalogue, titles come from rows before `titles_before` (epoch seconds; 0: all).

    Raises: ConfigError where there is nothing to read, or a number is out of range.
    """

    catalogue: CatalogueSource
    interactions: tuple[InteractionSource, ...]
    refused_share_max: float = 0.02
    retention_days: int = 0
    titles_before: int = 0
    joined_share_min: float = 0.1
    as_of: int = 0
    base: Path = Path()
    copies: Copies = field(
        default_factory=lambda: Copies(Path(".recommender/inputs")), compare=False
    )
    sample: bool = False
    rows_max: int = ROWS_MAX

    def __post_init__(self) -> None:
        if not (self.catalogue.given or self.interactions):
            raise ConfigError("nothing to read: set catalogue.path, interactions.path or both")
        for name in ("refused_share_max", "joined_share_min"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} {getattr(self, name)!r}: give 0 to 1")
        if self.retention_days < 0:
            raise ConfigError(f"retention_days {self.retention_days}: give 0 or more")

    def files(self) -> tuple[tuple[InputFile, ...], list[tuple[InputFile, ...]]]:
        """The files of the catalogue, and of each source of interactions.

        Raises: ConfigError for an unknown format.
        """
        return self._files("catalogue", self.catalogue), [
            self._files(f"interactions.{number}", part)
            for number, part in enumerate(self.interactions)
        ]

    def all_files(self) -> tuple[InputFile, ...]:
        """The files of the catalogue and of all interactions. Raises: as `files`."""
        catalogue, interactions = self.files()
        return catalogue + tuple(file for files in interactions for file in files)

    def fetch(self) -> None:
        """Bring the local copies of all inputs up to date. Raises: ConfigError, DataError."""
        for origin in self.origins():
            self.copies.fetch(origin)

    def origins(self) -> list[Origin]:
        """Where the inputs come from that are not files of this machine."""
        found = self._origins("catalogue", self.catalogue)
        for number, part in enumerate(self.interactions):
            found += self._origins(f"interactions.{number}", part)
        return found

    @property
    def catalogue_folder(self) -> str:
        """The folder of the catalogue's first file, or its URL, at which paths in it start."""
        first = next(iter(paths(self.catalogue.path)), "")
        if "://" in first:
            return first.rpartition("/")[0]
        place = self.base / first
        folder = place if place.is_dir() else place.parent
        while folder != self.base and any(mark in str(folder) for mark in "*?["):
            folder = folder.parent
        return str(folder)

    def _origins(self, setting: str, part: CatalogueSource | InteractionSource) -> list[Origin]:
        """Where a source's rows come from, if not from files of this machine."""
        if part.url:
            rows = SAMPLED_ITEMS if isinstance(part, CatalogueSource) else SAMPLED_EVENTS
            return [Origin(setting, part.url, part.query, rows if self.sample else 0)]
        return [Origin(setting, path) for path in paths(part.path) if "://" in path]

    def _files(
        self, setting: str, part: CatalogueSource | InteractionSource
    ) -> tuple[InputFile, ...]:
        copies = {origin.url: origin for origin in self._origins(setting, part)}
        return input_files(
            part.url or part.path,
            self.base,
            setting,
            "parquet" if part.url else part.format,
            lambda url: self.copies.found(copies[url]),
        )


def parameters(source: ShopSource) -> dict[str, object]:
    """Everything that decides the result, except the bytes of the files and the users, as JSON.

    Paths count only by their formats. Raises: ConfigError for an unknown format.
    """
    catalogue, interactions = source.files()
    plain = {
        "format": FORMAT,
        "documents_format": DOCUMENT_FORMAT,
        "refused_share_max": source.refused_share_max,
        "retention_days": source.retention_days,
        "titles_before": source.titles_before,
        "joined_share_min": source.joined_share_min,
        "as_of": source.as_of,
        "catalogue": _meaning(source.catalogue, catalogue),
        "interactions": [
            _meaning(part, files)
            for part, files in zip(source.interactions, interactions, strict=True)
        ],
    }
    result: dict[str, object] = json.loads(json.dumps(plain, sort_keys=True))
    return result


def _meaning(
    part: CatalogueSource | InteractionSource, files: Sequence[InputFile]
) -> dict[str, object]:
    """The settings of a source without where it is."""
    plain = asdict(part) | {"path": [file.format for file in files]}
    return {name: value for name, value in plain.items() if name not in {"url", "query"}}


def input_digests(source: ShopSource) -> dict[str, str]:
    """The sha256 of every file, by its key: `catalogue.0`, `interactions.0.0`.

    What lies elsewhere is fetched before. Raises: ConfigError where a file is missing or not
    readable; as `ShopSource.fetch`.
    """
    source.fetch()
    return copied_digests(source)


def copied_digests(source: ShopSource) -> dict[str, str]:
    """As `input_digests`, of the files and copies that are here already."""
    return {file.key: fingerprint(file).sha256 for file in source.all_files()}


def fetch_pinned(source: ShopSource, digests: Mapping[str, str]) -> None:
    """Fetch inputs where the copies of this machine are not those that a run began with."""
    if source.origins() and copied_digests(source) != digests:
        source.fetch()
