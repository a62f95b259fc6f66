"""A tiny live shop whose rules are steered by drafts."""

from dataclasses import dataclass
from pathlib import Path

from recommender import pipeline
from recommender.artifacts.audit_log import AuditLog
from recommender.build.gates import Gates
from recommender.live.live_state import LiveState, live_state
from recommender.live.rule_log import RuleLog
from recommender.live.steering import Steering
from recommender.merchandising.draft_changes import Wanted
from recommender.merchandising.rule_source import RuleSource
from recommender.publishing.publisher import Publisher
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop

BASKETS = [("a", "b", "c"), ("a", "b"), ("b", "c", "d"), ("e", "a"), ("f", "b", "e")] * 3
RULES = "# ours\nrules:\n  - {name: first, exclude: f, lists_of: a}   # for now\n"


@dataclass(frozen=True)
class SteeredShop:
    """A shop with one generation live, whose rule file has `RULES`."""

    folder: Path
    publisher: Publisher
    steering: Steering

    @classmethod
    def begun(cls, folder: Path, publisher: Publisher) -> "SteeredShop":
        write_shop(folder, orders(*BASKETS))
        job = load(folder / "recommender.toml").job()
        pipeline.reindex(job, publisher, Gates(overlap_min=0))
        (folder / "rules.yaml").write_text(RULES)
        log = RuleLog(AuditLog(folder / "audit.jsonl"))
        return cls(folder, publisher, Steering(folder / "rules.yaml", log))

    @property
    def text(self) -> str:
        return self.steering.rules.read_text()

    def live(self) -> LiveState:
        return live_state(load(self.folder / "recommender.toml").artifact_store(), self.publisher)

    def draft(self, wanted: Wanted, author: str = "maria") -> None:
        """Add to the draft of an author."""
        rules = RuleSource.read(self.steering.rules).document.rules
        drafts = self.steering.drafts
        drafts.save(wanted.into(drafts.of(author), rules, author, ""))

    def apply(self, author: str = "maria") -> str:
        """Apply the draft of an author; the id of the change."""
        return self.steering.apply(author, "Spring", self.live(), self.publisher).id

    def undo(self, change: str) -> str:
        """Undo a change; the id of that."""
        return self.steering.undo(change, "jo", "No", self.live(), self.publisher).id

    def listed(self, item: str) -> list[str]:
        """The list of an item as it is served, but for hidden items."""
        live = self.live()
        entries, _ = live.effective("related").of(live.catalogue.ids.row(item))
        return [live.catalogue.ids.ids[row] for row in entries.rows.tolist()]
