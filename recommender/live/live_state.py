"""Live state: the live build and its overlay, and the lists that they serve together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from recommender.artifacts.runs import Run, all_runs, find_run
from recommender.artifacts.store import Artifact, ArtifactStore
from recommender.build.contents import (
    BUILD,
    chosen_list,
    find_build,
    read_catalogue,
    read_ids,
    read_interactions,
)
from recommender.core.catalogue import Catalogue
from recommender.core.generation import Generation
from recommender.core.lists import Entries, NamedLists, RelatedLists
from recommender.core.recipe import Placement
from recommender.errors import ArtifactError, DataError, StoreUnavailable
from recommender.live.list_deltas import apply_delta
from recommender.live.overlays import OverlayRecord, combined_catalogue, live_record
from recommender.merchandising.application import RuleApplication, rules_in_force
from recommender.merchandising.matching import Matched
from recommender.merchandising.merchandiser import Merchandiser
from recommender.merchandising.rule_set import RuleSet
from recommender.merchandising.working_lists import Acts
from recommender.publishing.publisher import Publisher
from recommender.serving.codec import Pointer

Deed = Literal["moved", "barred", "displaced"]
"""A rule acted; its pin was out of stock or excluded; or another pin had its place."""


@dataclass(frozen=True, slots=True)
class RuleDeed:
    """The act of a merchandisers' rule in one list, and the rows that it concerned."""

    name: str
    rule: str
    deed: Deed
    about: frozenset[int]


@dataclass(frozen=True)
class EffectiveLists:
    """The lists of a placement as they are served.

    `built` are those of the build, `lists` the same with refreshed items; both before rules.
    """

    placement: Placement
    built: RelatedLists
    lists: RelatedLists
    rules: RuleApplication | None

    @cached_property
    def _merchandiser(self) -> Merchandiser | None:
        return None if self.rules is None else self.rules.merchandiser(self.placement)

    def whole(self) -> RelatedLists:
        """All lists."""
        if self.rules is None:
            return self.lists
        return self.rules.applied(self.placement, self.lists).lists

    def of(self, row: int) -> tuple[Entries, Sequence[RuleDeed]]:
        """The entries (k,) of one list, and the rules that acted in it."""
        if self._merchandiser is None:
            return self.lists.of(row), ()
        (made,) = self._merchandiser.apply_to(self.lists, range(row, row + 1))
        acts: dict[Deed, Acts] = {
            "moved": made.acted,
            "barred": made.barred,
            "displaced": made.displaced,
        }
        rules = {matched.number: matched for matched in self._merchandiser.rules}
        deeds = [
            _deed(rules[number], deed, row)
            for deed, found in acts.items()
            for number in found[:, 1].tolist()
        ]
        return made.entries[made.entries.found], deeds


@dataclass(frozen=True)
class LiveState:
    """The full generation that is live in a shop, and the `record` of its overlay.

    `seen` is the pointer, None if the store is unavailable. If not `overlay_known`, there may be an
    overlay that is not in `record`. All else is read from artifacts when it is first needed.
    """

    artifacts: ArtifactStore
    generation: Generation
    record: OverlayRecord
    seen: Pointer | None = None
    overlay_known: bool = True

    @property
    def number(self) -> int:
        """The number of the full generation."""
        return self.generation.id

    @property
    def pointer(self) -> Pointer:
        """The live pointer. Raises: StoreUnavailable if it was not read."""
        if self.seen is None:
            raise StoreUnavailable(f"shop {self.artifacts.shop}: the store is unavailable")
        return self.seen

    @property
    def has_build(self) -> bool:
        """Whether the artifact of the build exists."""
        return self.artifacts.find(BUILD[0], self.generation.lists_key) is not None

    @cached_property
    def build(self) -> Artifact:
        """The build of the full generation. Raises: ArtifactError if it is gone."""
        return find_build(self.artifacts, self.generation.lists_key)

    @cached_property
    def run(self) -> Run:
        """The run that made the build. Raises: ArtifactError if it is not recorded here."""
        run = find_run(self.artifacts, self.number)
        if run is None or run.build != self.generation.lists_key:
            raise ArtifactError(
                f"no run {self.number} of shop {self.artifacts.shop} is recorded here: the live "
                "generation was made elsewhere; run recommender reindex"
            )
        return run

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items of the build and the refreshed ones. Raises: ArtifactError."""
        return combined_catalogue(read_catalogue(self.artifacts, self.build), self.record)

    @cached_property
    def placements(self) -> dict[str, Placement]:
        """The placements of the build, by name. Raises: ArtifactError."""
        plain = self.build.summary["recipe"]["placements"]
        return {one["name"]: Placement.from_plain(one) for one in plain}

    def application(self, rules: RuleSet) -> RuleApplication:
        """The rules over the live items. Raises: ArtifactError."""
        events = read_interactions(self.artifacts, self.build)
        return RuleApplication.of(rules, self.catalogue, events)

    @cached_property
    def rules(self) -> RuleApplication | None:
        """The rules in force, None without any. Raises: ArtifactError."""
        rules = rules_in_force(self.build, self.record.rules)
        return self.application(rules) if rules.rules else None

    def effective(self, placement: str) -> EffectiveLists:
        """The lists of a placement as they are served. Raises: ArtifactError."""
        built = chosen_list(self.artifacts, self.build, placement)
        return EffectiveLists(self.placements[placement], built, self._refreshed(built), self.rules)

    def lists(self, placement: str) -> RelatedLists:
        """The lists of a placement with refreshed items, before rules. Raises: ArtifactError."""
        return self._refreshed(chosen_list(self.artifacts, self.build, placement))

    def _refreshed(self, built: RelatedLists) -> RelatedLists:
        delta = self.record.delta(built.placement)
        base = NamedLists(read_ids(self.artifacts, self.build), built)
        return apply_delta(base, self.catalogue.ids, delta)


def live_state(artifacts: ArtifactStore, publisher: Publisher) -> LiveState:
    """The live state according to the store.

    Raises: DataError if nothing is live; ArtifactError if the record of the overlay cannot be
    read; StoreUnavailable.
    """
    seen, layers = publisher.layers()
    return LiveState(artifacts, layers[-1], live_record(artifacts, layers), seen)


def readable_state(artifacts: ArtifactStore, publisher: Publisher) -> LiveState:
    """The live state, without its overlay if the record of that cannot be read.

    Raises: DataError if nothing is live; StoreUnavailable.
    """
    try:
        return live_state(artifacts, publisher)
    except ArtifactError:
        seen, (*_, full) = publisher.layers()
        record = OverlayRecord(full.lists_key)
        return LiveState(artifacts, full, record, seen, overlay_known=False)


def last_published(artifacts: ArtifactStore) -> LiveState:
    """The generation published last, by run records. Raises: DataError if there is none."""
    for run in all_runs(artifacts):
        if run.state == "published":
            full = replace(Generation(**run.generation), id=run.number, lists_key=run.build)
            record = OverlayRecord(run.build)
            return LiveState(artifacts, full, record, overlay_known=False)
    raise DataError("nothing is published yet")


def _deed(matched: Matched, deed: Deed, row: int) -> RuleDeed:
    of_row = matched.pairs[matched.pairs[:, 0] == row, 1]
    about = {*matched.targets.tolist(), *of_row.tolist(), matched.substitute} - {-1}
    return RuleDeed(matched.rule.name, str(matched.rule), deed, frozenset(about))
