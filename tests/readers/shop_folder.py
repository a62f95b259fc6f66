"""A folder with the files of a shop, and the results of reading them."""

import dataclasses
import gzip
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recommender.core.telemetry import Progress, silent
from recommender.readers.assembly import ShopData
from recommender.readers.interactions import HashedUsers, user_hash
from recommender.readers.shop import read_shop
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionSource

KEY = b"sixteen bytes or more"


@dataclass(frozen=True)
class Folder:
    path: Path

    @property
    def quarantine(self) -> Path:
        return self.path / "state" / "quarantine.jsonl"

    def put(self, name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        (self.path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return name

    def source(
        self,
        catalogue: CatalogueSource | str | None = None,
        interactions: Sequence[InteractionSource] | InteractionSource | str = (),
        refused_share_max: float = 0.02,
        retention_days: int = 0,
        joined_share_min: float = 0.0,
        as_of: int = 0,
    ) -> ShopSource:
        if catalogue is None or isinstance(catalogue, str):
            catalogue = CatalogueSource(path=catalogue or "")
        if isinstance(interactions, str):
            interactions = InteractionSource(path=interactions)
        if isinstance(interactions, InteractionSource):
            interactions = (interactions,)
        return ShopSource(
            catalogue,
            tuple(interactions),
            refused_share_max,
            retention_days,
            joined_share_min=joined_share_min,
            as_of=as_of,
            base=self.path,
        )

    def read(
        self,
        catalogue: CatalogueSource | str | None = None,
        interactions: Sequence[InteractionSource] | InteractionSource | str = (),
        refused_share_max: float = 1.0,
        progress: Progress = silent,
        *,
        retention_days: int = 0,
        joined_share_min: float = 0.0,
        as_of: int = 0,
        titles_before: int = 0,
        forgotten: Collection[str] = (),
    ) -> ShopData:
        source = self.source(
            catalogue, interactions, refused_share_max, retention_days, joined_share_min, as_of
        )
        source = dataclasses.replace(source, titles_before=titles_before)
        users = HashedUsers(KEY, frozenset(user_hash(raw, KEY) for raw in forgotten))
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
