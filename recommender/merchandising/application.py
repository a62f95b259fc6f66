"""Rule application: what a rule set makes of the lists of a build.

The rules in force over a build are the snapshot that an overlay's record holds, else those that
were applied by the build itself, which may be none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from recommender.artifacts.store import Artifact
from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.interactions import Interactions, support
from recommender.core.lists import NamedLists, RelatedLists
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import PreparedFilter, RankingContext
from recommender.core.recipe import Placement
from recommender.core.vectors import ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.merchandising.matching import Matched, Shelves
from recommender.merchandising.merchandiser import FILLER_DEPTH, Merchandiser, excluded_everywhere
from recommender.merchandising.rule_set import RuleSet
from recommender.merchandising.working_lists import Acts
from recommender.ranking.best_sellers import BestSellers
from recommender.ranking.filters.placement import filters_of

_NO_ACTS: Acts = np.zeros((0, 2), dtype=np.int64)
IN_STOCK = "in-stock"
RULES = "rules"


@dataclass(frozen=True, slots=True)
class MerchandisedLists:
    """The lists of a placement after the rules; what these did is as in `MerchandisedBlock`."""

    lists: RelatedLists
    acted: Acts
    barred: Acts
    displaced: Acts


@dataclass(frozen=True)
class RuleApplication:
    """A rule set over the items and sales (n,) of a build, refreshed items included."""

    rules: RuleSet
    catalogue: Catalogue
    interactions: Interactions
    sold: NDArray[np.float32]

    @classmethod
    def of(
        cls, rules: RuleSet, catalogue: Catalogue, interactions: Interactions
    ) -> "RuleApplication":
        """The rules over one build; items that its interactions do not know were never sold."""
        known = replace(interactions, n_items=len(catalogue))
        return cls(rules, catalogue, known, support(known.matrix()))

    @cached_property
    def shelves(self) -> Shelves:
        """The catalogue by id, brand and category."""
        return Shelves(self.catalogue)

    @cached_property
    def matched(self) -> tuple[Matched, ...]:
        """Every rule as rows."""
        return tuple(
            self.shelves.matched(number, rule) for number, rule in enumerate(self.rules.rules)
        )

    def merchandiser(self, placement: Placement) -> Merchandiser:
        """What applies the rules to the lists of one placement."""
        rules = tuple(
            matched
            for matched in self.matched
            if matched.rule.meant_for(placement.name) and not matched.moves_nothing
        )
        stocked = any(choice.use == IN_STOCK for choice in placement.filters)
        may_stand = self.catalogue.in_stock if stocked else self.catalogue.for_sale
        allowed = may_stand.copy()
        allowed[excluded_everywhere(rules)] = False
        filler = BestSellers.of(self.catalogue, self.sold, allowed, FILLER_DEPTH)
        kept = _RecipeFilters(self._filters(placement)).keep
        return Merchandiser(rules, placement.depth, may_stand, filler, kept)

    def _filters(self, placement: Placement) -> tuple[PreparedFilter, ...]:
        """The recipe's filters but those by likeness, which do not apply to filled-in items."""
        blank = np.zeros((len(self.catalogue), 1), dtype=np.float32)
        facts = RankingContext(
            catalogue=self.catalogue,
            interactions=self.interactions.of_kinds(placement.kinds),
            origins=Origins(),
            vectors=ItemVectors(blank, blank),
            near_by_content=_nobody,
        )
        return filters_of(placement, facts, facts_alone=True)

    def applied(self, placement: Placement, lists: RelatedLists) -> MerchandisedLists:
        """All lists of one placement after the rules, and what these did."""
        merchandiser = self.merchandiser(placement)
        blocks = list(merchandiser.apply_to(lists, range(len(lists))))
        acts = {
            name: np.concatenate([_NO_ACTS, *(getattr(block, name) for block in blocks)])
            for name in ("acted", "barred", "displaced")
        }
        best_sellers = merchandiser.allowed(lists.best_sellers)
        entries = (block.entries for block in blocks)
        return MerchandisedLists(
            RelatedLists.of_blocks(lists.placement, entries, best_sellers), **acts
        )

    def rewrite(
        self, placements: Mapping[str, Placement]
    ) -> Callable[[NamedLists], NamedLists] | None:
        """A function from the lists of any placement to those after the rules; None without any."""
        if not self.rules.rules:
            return None

        def rewritten(named: NamedLists) -> NamedLists:
            placement = placements[named.lists.placement]
            return NamedLists(named.ids, self.applied(placement, named.lists).lists)

        return rewritten


@dataclass(frozen=True, slots=True)
class _RecipeFilters:
    filters: tuple[PreparedFilter, ...]

    def keep(self, rows: Rows, candidates: Neighbours, own: NDArray[np.int64]) -> Neighbours:
        width = candidates.rows.shape[1]
        first = np.arange(width) < own
        for one in self.filters:
            kept = one.keep(rows, candidates)
            candidates = candidates.keep(kept | first, width)
        return candidates


def _nobody() -> Neighbours:
    raise ConfigError("a filter that reads which items are near by text needs embeddings")


def snapshot(rules: RuleSet) -> dict[str, Any]:
    """Rules in force, as plain JSON; not empty, even where there is no rule."""
    return {"digest": rules.digest, RULES: rules.plain()}


def rules_of(plain: Mapping[str, Any]) -> RuleSet:
    """Undo `snapshot`; no rule where there is none."""
    return RuleSet.from_plain(plain.get(RULES, ()))


def rules_in_force(build: Artifact, laid_over: Mapping[str, Any]) -> RuleSet:
    """The rules that apply to a build: those laid over it, else those of the build itself."""
    return rules_of(laid_over or build.summary.get("merchandising", {}))


def today_of(rules: RuleSet, given: date | None = None) -> date:
    """The day on which rules are read: as given, else today in their time zone."""
    return datetime.now(ZoneInfo(rules.time_zone)).date() if given is None else given
