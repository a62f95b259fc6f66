"""Shop: all files of a shop -> its catalogue, its interactions and what became of every row."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from recommender.core import documents
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions
from recommender.core.telemetry import Progress
from recommender.errors import ConfigError, DataError
from recommender.readers.files import InputFile, fingerprint, located, require_files
from recommender.readers.quarantine import quarantine_at
from recommender.readers.report import ReadReport
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.readers.users import Users

FORMAT = 2
"""Raised when the same files and settings come to read differently."""


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that reading depends on; paths are relative to `base`.

    Events that are more than `retention_days` older than the newest are left out; 0 keeps all.
    Without a catalogue, titles are those of events before `titles_before` (epoch seconds; 0: all).

    Raises: ConfigError where there is nothing to read, or a number is out of range.
    """

    catalogue: CatalogueSource
    interactions: tuple[InteractionSource, ...]
    refused_share_max: float = 0.02
    retention_days: int = 0
    titles_before: int = 0
    base: Path = Path()

    def __post_init__(self) -> None:
        if not (self.catalogue.path or self.interactions):
            raise ConfigError("nothing to read: set catalogue.path, interactions.path or both")
        if not 0 <= self.refused_share_max <= 1:
            raise ConfigError(f"refused_share_max {self.refused_share_max!r}: give 0 to 1")
        if self.retention_days < 0:
            raise ConfigError(f"retention_days {self.retention_days}: give 0 or more")


@dataclass(frozen=True, slots=True)
class ShopData:
    """What a shop's files hold."""

    catalogue: Catalogue
    interactions: Interactions
    report: ReadReport


def parameters(source: Source) -> dict[str, object]:
    """Everything but the files' bytes and the users that decides the result, as JSON knows it.

    Of the files' places only the formats count. Raises: ConfigError for an unknown format.
    """
    catalogue, interactions = _files(source)
    plain = {
        "format": FORMAT,
        "documents_format": documents.FORMAT,
        "refused_share_max": source.refused_share_max,
        "retention_days": source.retention_days,
        "titles_before": source.titles_before,
        "catalogue": asdict(source.catalogue) | {"path": _formats(catalogue)},
        "interactions": [
            asdict(part) | {"path": _formats(files)}
            for part, files in zip(source.interactions, interactions, strict=True)
        ],
    }
    result: dict[str, object] = json.loads(json.dumps(plain, sort_keys=True))
    return result


def input_digests(source: Source) -> dict[str, str]:
    """The sha256 of every file, by its key: `catalogue.0`, `interactions.0.0`.

    Raises: ConfigError where a file is missing or may not be read.
    """
    return {file.key: fingerprint(file).sha256 for file in _all_files(source)}


def read_shop(source: Source, users: Users, *, quarantine: Path, progress: Progress) -> ShopData:
    """Read everything; refused rows go to the file `quarantine`, where there are any.

    Progress counts bytes of the files as they lie. Raises: ConfigError where a setting does not
    fit the files; DataError where a file is unusable, changes while it is read or has too many
    refused rows, and where there are no items.
    """
    # A run without change reads nothing, and need not load pandas and pyarrow.
    from recommender.readers.assembly import assembled
    from recommender.readers.catalogue import read_items
    from recommender.readers.interactions import EventLog, EventReader, kind_weights
    from recommender.readers.tables import Intake
    from recommender.readers.titles import Titles

    catalogue_files, interaction_files = _files(source)
    every = _all_files(source)
    require_files(every)
    weights = kind_weights(source.interactions)
    log = EventLog(users, Titles(source.titles_before))
    total = sum(file.path.stat().st_size for file in every)
    with quarantine_at(quarantine) as refused, progress("read", total) as advance:
        intake = Intake(refused, advance, source.refused_share_max)
        items = read_items(source.catalogue, catalogue_files, intake) if catalogue_files else None
        kinds = {kind: code for code, kind in enumerate(weights)}
        reader = EventReader(log, intake, kinds, derives=items is None)
        for part, files in zip(source.interactions, interaction_files, strict=True):
            reader.read(part, files)
    return ShopData(
        *assembled(
            items,
            log.events().within(source.retention_days),
            weights,
            source.catalogue.scope,
            intake.reports,
        )
    )


def read_catalogue(
    source: Source, wanted: Collection[str], *, quarantine: Path, progress: Progress
) -> Catalogue:
    """The `wanted` items as the catalogue's files have them now; of several rows the last counts.

    No interactions are read. Refused rows go to the file `quarantine`, where there are any.
    Raises: ConfigError and DataError as `read_shop`; ConfigError where there is no catalogue;
    DataError naming an item that no file has.
    """
    from recommender.readers.catalogue import read_items
    from recommender.readers.tables import Intake

    files, _ = _files(source)
    if not files:
        raise ConfigError("catalogue.path is not set: no file tells what a product is called")
    require_files(files)
    total = sum(file.path.stat().st_size for file in files)
    with quarantine_at(quarantine) as refused, progress("read the catalogue", total) as advance:
        intake = Intake(refused, advance, source.refused_share_max)
        items = read_items(source.catalogue, files, intake)
    asked = frozenset(wanted)
    places = {item: place for place, item in enumerate(items.ids) if item in asked}
    if missing := [item for item in wanted if item not in places]:
        count = sum(sum(report.refused.values()) for report in intake.reports)
        shown = ", ".join(file.shown for file in files)
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        hint = f"; {count} of its rows were refused, see {quarantine}" if count else ""
        raise DataError(f"item {missing[0]!r:.60}{others}: not in {shown}{hint}")
    return items.taken([places[item] for item in wanted]).catalogue()


def _files(source: Source) -> tuple[tuple[InputFile, ...], list[tuple[InputFile, ...]]]:
    return located(source.catalogue.path, source.base, "catalogue"), [
        located(part.path, source.base, f"interactions.{number}")
        for number, part in enumerate(source.interactions)
    ]


def _all_files(source: Source) -> tuple[InputFile, ...]:
    catalogue, interactions = _files(source)
    return catalogue + tuple(file for files in interactions for file in files)


def _formats(files: tuple[InputFile, ...]) -> list[str]:
    return [file.format for file in files]
