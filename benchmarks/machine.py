"""What a figure was measured on, and how figures are printed."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

from threadpoolctl import threadpool_info

PACKAGES = ("numpy", "pandas", "torch", "faiss-cpu", "implicit", "sentence-transformers", "redis")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `ratio` is value over peer, where there is a peer."""

    name: str
    value: float
    unit: str
    peer: float | None = None

    @property
    def ratio(self) -> float | None:
        """Value over peer."""
        return None if not self.peer else self.value / self.peer


def machine() -> dict[str, object]:
    """Processor, cores, system, library versions and the thread pools of what is loaded."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in PACKAGES},
        "pools": thread_pools(),
    }


def thread_pools() -> list[str]:
    """Kind, version, kernels and threads of every pool that is loaded."""
    return [
        f"{pool['internal_api']} {pool.get('version')} {pool.get('architecture', '')} "
        f"{pool['num_threads']} threads"
        for pool in threadpool_info()
    ]


def report(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows as a table, or as JSON `{machine, rows}`."""
    if as_json:
        plain = [asdict(row) | {"ratio": row.ratio} for row in rows]
        sys.stdout.write(json.dumps({"machine": machine(), "rows": plain}, indent=1) + "\n")
        return
    about = machine()
    sys.stdout.write(f"{about['processor']}, {about['cores']} cores, Python {about['python']}\n\n")
    for row in rows:
        beside = "" if row.peer is None else f"   peer {row.peer:,.3g}"
        beside += "" if row.ratio is None else f"   ratio {row.ratio:.2f}"
        sys.stdout.write(f"{row.name:<58}{row.value:>12,.4g} {row.unit}{beside}\n")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor()
