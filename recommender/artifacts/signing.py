"""Signatures of manifests, run records and ledger entries: HMAC-SHA-256 over place and content.

Without a key, a signature is a checksum, which detects a flipped bit but not a forgery.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recommender.errors import DamagedArtifact, WrongSignature

REPAIR = "run recommender verify --repair, then recommender reindex"


@dataclass(frozen=True, slots=True)
class Signing:
    """Writes and verifies signed JSON; `key` may be empty."""

    key: bytes = field(default=b"", repr=False)

    def signed(self, path: str, content: Mapping[str, Any], indent: int | None = None) -> bytes:
        """The content as JSON that holds at this path only."""
        signed = {**content, "signature": self._signature(path, content)}
        text = json.dumps(signed, sort_keys=True, indent=indent, ensure_ascii=False)
        return f"{text}\n".encode()

    def verified(self, path: str, content: bytes, remedy: str = REPAIR) -> Mapping[str, Any]:
        """The content of signed JSON.

        Raises: DamagedArtifact where it is no JSON object; WrongSignature where it was changed, or
        where the key is not that of its writer.
        """
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DamagedArtifact(f"{path} cannot be read ({error}); {remedy}") from error
        if not isinstance(found, dict):
            raise DamagedArtifact(f"{path} is no JSON object; {remedy}")
        signature = str(found.pop("signature", "")).encode()
        if not hmac.compare_digest(signature, self._signature(path, found).encode()):
            reason = (
                "is not signed with artifacts.signing_key: another writer made or changed it; set "
                "the key of that writer, or"
                if self.key
                else "was changed, or signed with a key that is not set here; set "
                "artifacts.signing_key, or"
            )
            raise WrongSignature(f"{path} {reason} {remedy}")
        return found

    def _signature(self, path: str, content: Mapping[str, Any]) -> str:
        text = json.dumps([path, content], sort_keys=True, ensure_ascii=True)
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
