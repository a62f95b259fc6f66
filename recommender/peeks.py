"""Peeks: every look at the test window is counted, for a window looked at often is no test."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recommender.errors import ArtifactError


def record_peek(folder: Path, facts: Mapping[str, Any]) -> int:
    """Add one look to `test-uses.jsonl` in the folder; return how many there are now.

    Raises: ArtifactError where the folder cannot be written, for an uncounted look is none.
    """
    path = folder / "test-uses.jsonl"
    line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), **facts}) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        return path.read_bytes().count(b"\n")
    except OSError as error:
        raise ArtifactError(
            f"cannot count the use of the test window in {path}: {error}"
        ) from error
