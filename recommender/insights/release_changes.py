"""Changes of what is live: approving, promoting, rolling back. The audit log records each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from recommender.artifacts.audit_log import AuditLog, Change
from recommender.artifacts.store import ArtifactStore
from recommender.build.folded_changes import bring_back
from recommender.core.generation import Generation
from recommender.core.telemetry import Progress, silent
from recommender.insights.diff import approve
from recommender.publishing.publisher import Publisher


@dataclass(frozen=True, slots=True)
class ReleaseChanges:
    """Changes what is live in a shop, for somebody whose name goes into the audit log.

    All methods raise StoreUnavailable, and ArtifactError if the log cannot be written.
    """

    artifacts: ArtifactStore
    publisher: Publisher
    log: AuditLog
    who: str

    def approve(
        self, run: int | None = None, progress: Progress = silent, canary_share: float = 0.0
    ) -> Generation:
        """Publish a build that a gate held: the newest, or that of a run.

        With a `canary_share`, only so many requests read it. Raises: ConfigError.
        """
        self.publisher.check_canary(canary_share)
        with self._change("approve", {"run": run, "canary_share": canary_share}):
            return approve(self.artifacts, self.publisher, run, progress, canary_share)

    def promote(self) -> Generation:
        """Make the canary live for all requests. Raises: ConfigError where there is none."""
        with self._change("promote", {}):
            return self.publisher.promote()

    def rollback(self, to: int | None = None) -> Generation:
        """Withdraw the canary, or make another generation live again. Raises: ConfigError."""
        with self._change("rollback", {"to": to}):
            bring_back(self.artifacts, self.publisher)
            return self.publisher.rollback(to)

    @contextmanager
    def _change(self, what: str, about: Mapping[str, Any]) -> Iterator[Change]:
        with self.log.change(self.who, what, about, self._live()) as made:
            yield made
            made.after = self._live()

    def _live(self) -> Mapping[str, Any]:
        with self.publisher.errors("reading"):
            pointer = self.publisher.stored.live()
        if pointer is None:
            return {}
        canary = pointer.canary.layers[-1] if pointer.canary else None
        return {"live": pointer.generation, "canary": canary}
