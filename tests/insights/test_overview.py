"""What needs a person: held builds, failed runs, short lists, refused rows, and rules that end."""

from datetime import date
from pathlib import Path

from recommender.artifacts.runs import Run
from recommender.artifacts.store import ArtifactStore
from recommender.insights.overview import Overview, overview
from recommender.publishing.publisher import Publisher

TODAY = date(2026, 6, 1)
RULES = """
rules:
  - name: soon
    exclude: a
    until: 2026-06-05
  - name: later
    exclude: a
    until: 2026-06-09
  - name: over
    exclude: a
    until: 2026-05-30
"""


def kinds(found: Overview) -> list[tuple[str, str, int]]:
    return [(one.kind, one.about, one.count) for one in found.concerns]


def test_what_needs_a_person_is_named(tmp_path: Path, publisher: Publisher) -> None:
    artifacts = ArtifactStore(tmp_path / "artifacts", "acme")
    assert kinds(overview(artifacts, publisher, TODAY)) == [("nothing", "", 0)]
    Run("acme", 1, "held", {}, {}, held=("too few items",)).begin(artifacts)
    Run("acme", 2, "failed", {}, {}, error="no column").begin(artifacts)
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    found = overview(artifacts, publisher, TODAY, rules)
    assert kinds(found) == [
        ("nothing", "", 0),
        ("held", "1", 0),
        ("failed", "2", 0),
        ("rule", "soon", 0),
    ]
    assert [run.number for run in found.held] == [1]
    rules.write_text("rules: [{name: x}]")
    assert kinds(overview(artifacts, publisher, TODAY, rules))[-1][:2] == (
        "rule_file",
        "rules.yaml",
    )
