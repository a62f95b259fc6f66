"""Rewriting: what a rule book makes of the lists of a build.

The book in force over a build is the snapshot that an overlay's record holds, else the book that
was folded into the build, which may be none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from recommender import registry
from recommender.artifacts.store import Artifact
from recommender.core.arrays import Rows
from recommender.core.catalogue import Catalogue
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions, support
from recommender.core.lists import Lists
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import PreparedFilter
from recommender.core.recipe import Choice, Placement
from recommender.core.vectors import ItemVectors, Origins
from recommender.errors import ConfigError
from recommender.merchandising.filler import Reserve
from recommender.merchandising.matching import Matched, Shelves
from recommender.merchandising.merchandiser import Merchandiser, excluded_everywhere
from recommender.merchandising.rule_set import RuleBook
from recommender.merchandising.whole_lists import Rewritten, rewritten

IN_STOCK = "in-stock"
RULES = "rules"


@dataclass(frozen=True)
class Rewriting:
    """A rule book over the items and sales (n,) of a build, refreshed items included."""

    book: RuleBook
    catalogue: Catalogue
    interactions: Interactions
    sold: NDArray[np.float32]

    @classmethod
    def of(cls, book: RuleBook, catalogue: Catalogue, interactions: Interactions) -> "Rewriting":
        """The rewriting of one build; items that its interactions do not know were never sold."""
        known = replace(interactions, n_items=len(catalogue))
        return cls(book, catalogue, known, support(known.matrix()))

    @cached_property
    def shelves(self) -> Shelves:
        """The catalogue by id, brand and category."""
        return Shelves(self.catalogue)

    @cached_property
    def matched(self) -> tuple[Matched, ...]:
        """Every rule of the book as rows."""
        return tuple(
            self.shelves.matched(number, rule) for number, rule in enumerate(self.book.rules)
        )

    def merchandiser(self, placement: Placement) -> Merchandiser:
        """What applies the book to the lists of one placement."""
        rules = tuple(
            matched
            for matched in self.matched
            if matched.rule.meant_for(placement.name) and not matched.moves_nothing
        )
        stocked = any(choice.use == IN_STOCK for choice in placement.filters)
        may_stand = self.catalogue.in_stock if stocked else np.ones(len(self.catalogue), dtype=bool)
        allowed = may_stand.copy()
        allowed[excluded_everywhere(rules)] = False
        own = _RecipeRules(self._sieves(placement))
        reserve = Reserve.of(self.catalogue, self.sold, allowed)
        return Merchandiser(rules, placement.depth, may_stand, reserve, own.keep)

    def _sieves(self, placement: Placement) -> tuple[PreparedFilter, ...]:
        """The recipe's rules but those by likeness, which is not asked of what fills a list up."""
        blank = np.zeros((len(self.catalogue), 1), dtype=np.float32)
        facts = RankingContext(
            catalogue=self.catalogue,
            interactions=self.interactions.of_kinds(placement.kinds),
            origins=Origins(),
            vectors=ItemVectors(blank, blank),
            near_by_content=_nobody,
        )
        rules = map(registry.item_filter, placement.filters)
        return tuple(rule.prepare(facts) for rule in rules if not rule.by_similarity)

    def rewritten(self, placement: Placement, lists: Lists) -> Rewritten:
        """The lists of one placement after the rules, and what these did."""
        return rewritten(self.merchandiser(placement), lists.lists)

    def rewriter(self, placements: Mapping[str, Placement]) -> Callable[[Lists], Lists] | None:
        """What makes of the lists of any placement those after the rules; None without rules."""
        if not self.book.rules:
            return None

        def rewrite(lists: Lists) -> Lists:
            made = self.rewritten(placements[lists.lists.placement], lists)
            return Lists(lists.ids, made.lists)

        return rewrite


@dataclass(frozen=True, slots=True)
class _RecipeRules:
    sieves: tuple[PreparedFilter, ...]

    def keep(self, rows: Rows, candidates: Neighbours, own: NDArray[np.int64]) -> Neighbours:
        width = candidates.rows.shape[1]
        first = np.arange(width) < own
        for sieve in self.sieves:
            kept = sieve.keep(rows, candidates)
            candidates = candidates.keep(kept | first, width)
        return candidates


def _nobody() -> Neighbours:
    raise ConfigError("a rule that reads which items are near by text needs embeddings")


def snapshot(book: RuleBook) -> dict[str, Any]:
    """A book that is in force, as plain JSON; not empty, even where the book has no rule."""
    return {"digest": book.digest, RULES: book.plain()}


def book_of(plain: Mapping[str, Any]) -> RuleBook:
    """Undo `snapshot`; an empty book where there is none."""
    return RuleBook.from_plain(plain.get(RULES, ()))


def book_in_force(build: Artifact, laid_over: Mapping[str, Any]) -> RuleBook:
    """The book that applies to a build: of what was laid over it, else of the build itself."""
    return book_of(laid_over or build.summary.get("merchandising", {}))


def today_of(book: RuleBook, given: date | None = None) -> date:
    """The day on which a book is looked at: as given, else today in its time zone."""
    return datetime.now(ZoneInfo(book.time_zone)).date() if given is None else given


def placements_of(build: Artifact) -> dict[str, Placement]:
    """The placements of a build's recipe, by name."""
    return {
        plain["name"]: Placement(
            **plain
            | {
                "fusion": _choice(plain["fusion"]),
                "ranker": _choice(plain["ranker"]),
                "candidates": tuple(map(_choice, plain["candidates"])),
                "filters": tuple(map(_choice, plain["filters"])),
                "kinds": tuple(plain.get("kinds", ())),
            }
        )
        for plain in build.summary["recipe"]["placements"]
    }


def _choice(plain: Mapping[str, Any]) -> Choice:
    return Choice(plain["use"], {name: plain[name] for name in plain if name != "use"})
