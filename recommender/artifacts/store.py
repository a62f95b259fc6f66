"""Artifacts: content-addressed outputs of steps.

`<root>/<shop>/<step>/<key>/` holds one .npy file per column and `manifest.json`, which is written
last: without it, the artifact does not exist. A key covers everything that changes the bytes, so
the first complete artifact of a key wins, and nothing is changed in place. Manifests have no time,
host or path. Files and manifest are checked against their SHA-256 before they are loaded, and
nothing is unpickled. With a signing key, manifests and run records of other writers are refused.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from recommender.artifacts.object_storage import ObjectStorage
from recommender.artifacts.signing import REPAIR, Signing
from recommender.artifacts.storage import MANIFEST, NAME, LocalStorage, save_columns
from recommender.core.arrays import Columns
from recommender.errors import ArtifactError, DamagedArtifact, WrongSignature

FORMAT = 2
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
RUNS = "runs"
LEDGERS = "ledgers"
RECENT = 5
AT_ONCE = 2
Storage = LocalStorage | ObjectStorage
_HEADERS = Lock()
"""numpy reads headers by `ast.literal_eval`, of which CPython 3.11 counts the depth of all threads
in one number: a SystemError where garbage collection lets another thread in (see gh-106905)."""
_RUN_ID = re.compile(r"[a-z0-9_-]{1,40}\.[0-9]{1,20}")
_RUN_FILE = re.compile(r"[a-z0-9_-]{1,40}\.([0-9]{1,20})\.json")


def artifact_key(
    step: str, version: int, parameters: Mapping[str, Any], inputs: Mapping[str, str]
) -> str:
    """Key of a stage output: SHA-256 over the step's code version, parameters and input keys."""
    content = {"step": step, "version": version, "parameters": parameters, "inputs": inputs}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """One complete step output: `summary` is plain JSON, the columns are files at `path`."""

    storage: Storage
    path: str
    key: str
    summary: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return [name.removesuffix(".npy") for name in self.files]

    def columns(self, *names: str) -> Columns:
        """The named columns, or all, memory-mapped read-only once their checksums hold.

        Raises: ArtifactError where a file is missing, is a link, has another size or checksum.
        """
        files = [f"{name}.npy" for name in names] or list(self.files)
        with ThreadPoolExecutor(AT_ONCE) as pool:  # a checksum holds no interpreter
            loaded = dict(zip(files, pool.map(self._load, files), strict=True))
        return {name.removesuffix(".npy"): array for name, array in loaded.items()}

    def fault(self, *, digests: bool) -> str:
        """The first file that is not as the manifest has it, and why; "" where all are.

        Without `digests` only sizes are compared.
        """
        for name, expected in self.files.items():
            size, sha256 = int(expected["size"]), str(expected["sha256"])
            path = f"{self.path}/{name}"
            if fault := self.storage.fault(path, size, sha256, digests=digests):
                return f"{path} {fault}"
        return ""

    def _load(self, name: str) -> np.ndarray[Any, np.dtype[Any]]:
        if name not in self.files:
            raise ArtifactError(f"artifact {self.path}: no file {name} in its manifest")
        expected = self.files[name]
        place = self.storage.file(
            f"{self.path}/{name}", int(expected["size"]), str(expected["sha256"])
        )
        with _HEADERS:
            loaded: np.ndarray[Any, np.dtype[Any]] = np.load(
                place, mmap_mode="r", allow_pickle=False
            )
        return loaded


@dataclass(frozen=True, slots=True)
class ArtifactStore:
    """The artifacts of one shop below a local folder or an fsspec URL.

    `cache` keeps copies of files that are read from a URL. `signing_key` signs manifests and run
    records, and those of others are refused.
    """

    root: Path | str
    shop: str
    cache: Path = field(default_factory=lambda: Path(tempfile.gettempdir(), "recommender-cache"))
    signing_key: bytes = field(default=b"", repr=False)
    storage: Storage = field(init=False, repr=False, compare=False)
    signing: Signing = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "storage", _storage_at(str(self.root), self.cache))
        object.__setattr__(self, "signing", Signing(self.signing_key))

    def find(self, step: str, key: str) -> Artifact | None:
        """The artifact of a key, or None where there is no complete one.

        Raises: DamagedArtifact where its manifest is not one, or names a file outside of its
        folder; WrongSignature.
        """
        folder = self.folder(step, key)
        path = f"{folder}/{MANIFEST}"
        content = self.storage.read(path, MAX_MANIFEST_BYTES)
        if content is None:
            return None
        manifest = self.signing.verified(path, content)
        if manifest.get("format") != FORMAT or manifest.get("key") != key:
            raise DamagedArtifact(f"{path} has another format or key; {REPAIR}")
        files = manifest["files"]
        if strays := [name for name in files if not NAME.fullmatch(name)]:
            raise DamagedArtifact(f"{path} names a file {strays[0]!r:.80}; {REPAIR}")
        return Artifact(self.storage, folder, key, manifest["summary"], files)

    def fault(self, step: str, key: str, *, digests: bool) -> str | None:
        """Why an artifact does not count as done: None where there is none, "" where it is whole.

        Without `digests`, only the sizes of its files are compared. Raises: WrongSignature where
        that of no recent run record holds either, so that the key is to blame.
        """
        try:
            artifact = self.find(step, key)
        except DamagedArtifact as error:
            return str(error)
        except WrongSignature as error:
            if not self.key_holds():
                raise
            return str(error)
        return None if artifact is None else artifact.fault(digests=digests)

    def is_done(self, step: str, key: str) -> bool:
        """Whether there is an artifact whose files have their sizes.

        Objects behind a URL are put whole, and are not asked for: that is a request for each.
        """
        if isinstance(self.storage, LocalStorage):
            return self.fault(step, key, digests=False) == ""
        return self.find(step, key) is not None

    def require(self, step: str, key: str) -> Artifact:
        """The artifact of a key. Raises: ArtifactError where there is none."""
        artifact = self.find(step, key)
        if artifact is None:
            raise ArtifactError(
                f"artifact {self.folder(step, key)} is not there: it was removed, or made on "
                "another machine; run recommender reindex"
            )
        return artifact

    def write(self, step: str, key: str, columns: Columns, summary: Mapping[str, Any]) -> Artifact:
        """Write an artifact whole, or not at all; a whole one that is there already stays.

        Raises: ArtifactError where the disk refuses, naming the path.
        """
        folder = self.folder(step, key)
        if self.fault(step, key, digests=True):
            self.discard(step, key)

        def fill(staging: Path) -> bytes:
            content = {"format": FORMAT, "key": key, "summary": summary}
            files = save_columns(staging, columns)
            return self.signing.signed(f"{folder}/{MANIFEST}", content | {"files": files}, indent=1)

        self.storage.write(folder, fill)
        written = self.find(step, key)
        if written is None:
            raise ArtifactError(f"artifact {folder} was removed while it was written; run again")
        return written

    def discard(self, step: str, key: str) -> int:
        """Remove an artifact, its manifest first; return the bytes that it took."""
        return self.storage.remove(self.folder(step, key))

    def record_run(self, run_id: str, record: Mapping[str, Any]) -> None:
        """Write `runs/<run id>.json`: what a run was and did. Raises: ArtifactError."""
        path = self._run(run_id)
        self.storage.replace(path, self.signing.signed(path, record, indent=2))

    def begin_run(self, run_id: str, record: Mapping[str, Any]) -> bool:
        """Write the record of a new run; False where that run has one already."""
        path = self._run(run_id)
        return self.storage.create(path, self.signing.signed(path, record, indent=2))

    def run(self, run_id: str) -> Mapping[str, Any] | None:
        """The record of a run, None where there is none. Raises: ArtifactError."""
        path = self._run(run_id)
        content = self.storage.read(path, MAX_MANIFEST_BYTES)
        return None if content is None else self.signing.verified(path, content)

    def runs(self) -> list[int]:
        """The numbers of the runs that have a record, newest first."""
        names = self.storage.names(f"{self._shop()}/{RUNS}")
        matched = (_RUN_FILE.fullmatch(name) for name in names)
        return sorted((int(match[1]) for match in matched if match), reverse=True)

    def key_holds(self) -> bool:
        """Whether one of the last run records has the signature of the key set here."""
        for number in self.runs()[:RECENT]:
            with suppress(ArtifactError):
                if self.run(f"{self.shop}.{number}") is not None:
                    return True
        return False

    def highest_run(self) -> int:
        """The highest fence under which a run was recorded, 0 without any."""
        return max(self.runs(), default=0)

    def forget_run(self, run_id: str) -> None:
        """Remove the record of a run."""
        self.storage.remove(self._run(run_id))

    def entry(self, ledger: str, number: int) -> Mapping[str, Any] | None:
        """One entry of an append-only ledger, None behind its end. Raises: ArtifactError."""
        path = self._entry(ledger, number)
        content = self.storage.read(path, MAX_MANIFEST_BYTES)
        if content is None:
            return None
        folder = path.rpartition("/")[0]
        remedy = f"restore it from a backup, or remove the folder {folder} and run again"
        return self.signing.verified(path, content, remedy)

    def end(self, ledger: str) -> int:
        """The number of entries of a ledger, found with a logarithmic number of reads."""
        high = 1
        while self.entry(ledger, high - 1) is not None:
            high *= 2
        low = high // 2
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.entry(ledger, middle) else (low, middle)
        return low

    def append(self, ledger: str, number: int, entry: Mapping[str, Any]) -> bool:
        """Write entry `number` of a ledger; False where another writer has written that one."""
        path = self._entry(ledger, number)
        return self.storage.create(path, self.signing.signed(path, entry))

    def forget_ledger(self, ledger: str) -> None:
        """Remove a ledger that has entries."""
        self.storage.remove(f"{self._shop()}/{LEDGERS}/{ledger}")

    def folder(self, step: str, key: str) -> str:
        """The path of an artifact below the root. Raises: ArtifactError for an unfit name."""
        for name in (step, key):
            _check_name(name)
        return f"{self._shop()}/{step}/{key}"

    def _shop(self) -> str:
        _check_name(self.shop)
        return self.shop

    def _run(self, run_id: str) -> str:
        if not _RUN_ID.fullmatch(run_id):
            raise ArtifactError(f"run id {run_id!r:.80} is not SHOP.NUMBER")
        return f"{self._shop()}/{RUNS}/{run_id}.json"

    def _entry(self, ledger: str, number: int) -> str:
        _check_name(ledger)
        return f"{self._shop()}/{LEDGERS}/{ledger}/{number:08d}.json"


def _storage_at(url: str, cache: Path) -> Storage:
    """The storage behind a folder or URL; `cache` keeps files that are read from a URL."""
    if url.startswith("file://") or "://" not in url:
        return LocalStorage(Path(url.removeprefix("file://")))
    return ObjectStorage(url.rstrip("/"), cache)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ArtifactError(f"artifact name {name!r:.80}: use a-z, 0-9, '.', '_' and '-'")
