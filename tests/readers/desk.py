"""A desk to read shops at: a folder of files, and what became of their rows."""

import dataclasses
import gzip
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommender.core.telemetry import Progress, silent
from recommender.readers.shop import ShopData, Source, read_shop
from recommender.readers.sources import CatalogueSource, InteractionSource
from recommender.readers.users import Users, user_hash

KEY = b"sixteen bytes or more"


@dataclass(frozen=True)
class Desk:
    folder: Path

    @property
    def quarantine(self) -> Path:
        return self.folder / "state" / "quarantine.jsonl"

    def put(self, name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        (self.folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return name

    def source(
        self,
        catalogue: CatalogueSource | str | None = None,
        interactions: Sequence[InteractionSource] | InteractionSource | str = (),
        refused_share_max: float = 0.02,
        retention_days: int = 0,
    ) -> Source:
        if catalogue is None or isinstance(catalogue, str):
            catalogue = CatalogueSource(path=catalogue or "")
        if isinstance(interactions, str):
            interactions = InteractionSource(path=interactions)
        if isinstance(interactions, InteractionSource):
            interactions = (interactions,)
        return Source(
            catalogue, tuple(interactions), refused_share_max, retention_days, base=self.folder
        )

    def read(
        self,
        catalogue: CatalogueSource | str | None = None,
        interactions: Sequence[InteractionSource] | InteractionSource | str = (),
        refused_share_max: float = 1.0,
        progress: Progress = silent,
        *,
        retention_days: int = 0,
        titles_before: int = 0,
        forgotten: Collection[str] = (),
    ) -> ShopData:
        source = self.source(catalogue, interactions, refused_share_max, retention_days)
        source = dataclasses.replace(source, titles_before=titles_before)
        users = Users(KEY, frozenset(user_hash(raw, KEY) for raw in forgotten))
        return read_shop(source, users, quarantine=self.quarantine, progress=progress)

    def refused(self) -> list[dict[str, Any]]:
        if not self.quarantine.exists():
            return []
        return [json.loads(line) for line in self.quarantine.read_text().splitlines()]


def sold(data: ShopData) -> list[str]:
    """The item ids of the interactions, event by event."""
    return [data.catalogue.ids.ids[row] for row in data.interactions.item]


def all_bytes(data: ShopData) -> bytes:
    """Everything that leaves the readers, as the artifact store would write it."""
    columns = data.catalogue.columns() | data.interactions.columns()
    arrays = b"".join(np.ascontiguousarray(column).tobytes() for column in columns.values())
    return arrays + json.dumps(data.report.plain()).encode()
