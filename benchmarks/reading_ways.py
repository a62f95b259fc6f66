"""Ways to read the folder of a shop, measured in this process: `reading_ways.py WAY FOLDER`.

Only the readers are imported, so that those of another checkout can be measured as well.
"""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recommender.core.telemetry import silent
from recommender.errors import DataError
from recommender.readers.interactions import HashedUsers
from recommender.readers.shop import read_shop
from recommender.readers.shop_source import ShopSource
from recommender.readers.sources import CatalogueSource, InteractionColumns, InteractionSource

KEY = b"sixteen bytes or more"


def plain(folder: Path) -> dict[str, Any]:
    """Read as the readers do."""
    columns = InteractionColumns(item="item_id", basket="order_id", time="time")
    (events,) = (path.name for path in folder.glob("orders.csv*"))
    catalogue = "items.csv" if (folder / "items.csv").exists() else ""
    source = ShopSource(
        CatalogueSource(catalogue), (InteractionSource(events, columns=columns),), base=folder
    )
    quarantine = folder / "quarantine.jsonl"
    try:
        data = read_shop(source, HashedUsers(KEY), quarantine=quarantine, progress=silent)
    except DataError as error:
        return {"rows": 0, "refused": 0, "result": str(error)}
    digest = hashlib.sha256()
    for column in (data.catalogue.columns() | data.interactions.columns()).values():
        digest.update(np.ascontiguousarray(column).tobytes())
    digest.update(json.dumps(data.report.plain()).encode())
    if quarantine.exists():
        digest.update(quarantine.read_bytes())
    return {
        "rows": sum(file.rows for file in data.report.files),
        "refused": sum(sum(file.refused.values()) for file in data.report.files),
        "result": digest.hexdigest(),
    }


def careful(folder: Path) -> dict[str, Any]:
    """Read line by line, and times one by one."""
    from recommender.readers import plain_rows, usual_times

    plain_rows.FEWEST = sys.maxsize
    usual_times.YEARS = (1, 0)
    return plain(folder)


def pandas(folder: Path) -> dict[str, Any]:
    """Parse the columns with pandas, without lines, checks and accounting."""
    import pandas as pd

    items = pd.read_csv(folder / "items.csv", dtype=str, keep_default_na=False)
    events = pd.read_csv(
        folder / "orders.csv", dtype=str, keep_default_na=False, on_bad_lines="skip"
    )
    for name in ("order_id", "item_id"):
        codes, _ = pd.factorize(events[name])
        events[name] = codes.astype(np.int32)
    events["time"] = pd.to_datetime(events["time"], format="ISO8601", errors="coerce")
    n_rows = len(items) + len(events)
    return {"rows": n_rows, "refused": int(events["time"].isna().sum()), "result": "not checked"}


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "plain": plain,
    "careful": careful,
    "pandas": pandas,
}


def _peak_bytes() -> int:
    """The largest resident memory of this process; getrusage counts its parent's at the fork."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(way: str, folder: Path) -> None:
    """Read and print what it took as JSON."""
    started, processor = time.perf_counter(), time.process_time()
    result = WAYS[way](folder)
    result["seconds"] = time.perf_counter() - started
    result["processor_s"] = time.process_time() - processor
    result["peak_bytes"] = _peak_bytes()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
