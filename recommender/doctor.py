"""Doctor: whether this machine is ready to reindex, and the store to serve."""

import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from recommender.errors import RecommenderError
from recommender.protocols import TextEncoder

Verdict = Literal["ok", "warning", "fault"]

PARTS = {
    "build": ("numpy", "scipy", "pandas", "pyarrow", "sklearn", "implicit", "faiss"),
    "text": ("torch", "sentence_transformers", "safetensors"),
}
LOW_DISK_BYTES = 2 * 1024**3
OLD_SERVER = 7


class Information(Protocol):
    """The part of a redis-py client that is asked."""

    def info(self, section: str) -> Any:  # noqa: ANN401
        """One section of INFO."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and what to do where it is not well."""

    what: str
    verdict: Verdict
    detail: str


def examine_parts() -> list[Finding]:
    """Whether the extras are installed that a reindex needs."""
    findings = []
    for extra, modules in PARTS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            text = f"{', '.join(missing)} missing; pip install 'recommender[{extra}]'"
            findings.append(Finding(f"extra {extra}", "fault", text))
        else:
            findings.append(Finding(f"extra {extra}", "ok", "installed"))
    return findings


def examine_encoder(make: Callable[[], TextEncoder]) -> Finding:
    """Whether the text model is here, and what it should be."""
    try:
        fingerprint = make().fingerprint()
    except RecommenderError as error:
        return Finding("text model", "fault", str(error))
    return Finding("text model", "ok", fingerprint[:60])


def examine_inputs(paths: Iterable[str]) -> list[Finding]:
    """Whether the input files are here."""
    findings = []
    for path in map(Path, paths):
        if path.is_file():
            size = path.stat().st_size / 1024**2
            findings.append(Finding("input", "ok", f"{path} ({size:,.1f} MiB)"))
        else:
            findings.append(Finding("input", "fault", f"{path} is not there"))
    return findings


def examine_folder(what: str, folder: Path) -> Finding:
    """Whether the folder can be written, and has room."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(what, "fault", f"{folder} cannot be written: {error.strerror}")
    verdict: Verdict = "ok" if free >= LOW_DISK_BYTES else "warning"
    return Finding(what, verdict, f"{folder}, {free / 1024**3:.1f} GiB free")


def examine_store(store: Information) -> list[Finding]:
    """Whether the server is new enough, and refuses a write rather than forget a list."""
    server, memory = store.info("server"), store.info("memory")
    name = "Valkey" if "valkey_version" in server else "Redis"
    version = str(server.get("valkey_version") or server["redis_version"])
    findings = []
    if int(version.partition(".")[0]) < OLD_SERVER:
        text = f"{name} {version} cannot swap at full memory; use Redis 7, Valkey or newer"
        findings.append(Finding("server", "warning", text))
    else:
        findings.append(Finding("server", "ok", f"{name} {version}"))
    policy, limit = str(memory["maxmemory_policy"]), int(memory["maxmemory"])
    if policy != "noeviction" and limit:
        text = f"maxmemory-policy is {policy}: lists would be forgotten; set noeviction"
        findings.append(Finding("eviction", "fault", text))
    else:
        findings.append(Finding("eviction", "ok", f"{policy}, maxmemory {limit or 'unlimited'}"))
    return findings
