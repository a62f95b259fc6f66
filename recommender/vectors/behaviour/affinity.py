"""Company: how likely an item is found with another, also where hardly anything was counted."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, blocks, text_codes, unit_rows
from recommender.core.catalogue import Catalogue
from recommender.core.co_occurrence import CoOccurrence, values_at
from recommender.core.context import RankingContext
from recommender.core.interactions import Interactions, Unit
from recommender.core.neighbours import Neighbours

POPULARITY = 0.2
NOT_SOLD = 0.5
CATEGORY_PRIOR = 0.1
PAIRS = 32_768
SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class Habits:
    """What the counts of all items say of categories and brands; c categories.

    `together` (c, c) holds the weight of pairs by their categories, `weight` (c,) that of the
    items, `share` (c,) what of all weight a category has. Items of one brand are found together
    `same_brand` times as often as their categories let expect, those of two `other_brand` times.
    """

    together: sp.csr_array
    weight: FloatVector
    share: FloatVector
    same_brand: float = 1.0
    other_brand: float = 1.0

    @classmethod
    def of(
        cls, catalogue: Catalogue, interactions: Interactions, unit: Unit = "auto"
    ) -> tuple[Rows, "Habits"]:
        """The category of each item (n,), and the habits of categories alone."""
        category, _ = text_codes(catalogue.category)
        counted = CoOccurrence.of(interactions, unit)
        return category, _of_categories(counted, _membership(category))

    def rate(self, asking: Rows, found: Rows) -> FloatVector:
        """The share of a category's units that has another, by category codes (p,) of pairs.

        Shrunk to the other's share of everything by a tenth of the mean category's weight.
        """
        prior = CATEGORY_PRIOR * float(self.weight.mean())
        counted = values_at(self.together, asking, found)
        expected = prior * self.share[found]
        rates: FloatVector = (counted + expected) / (self.weight[asking] + max(prior, 1e-9))
        return rates


@dataclass(frozen=True, slots=True)
class Company:
    """Counts of pairs, backed by what category, brand and content let expect of them.

    For an item a that was counted w times, the rate of b is (count + m e) / (w + m): e, the
    expectation, is the rate of b's category given a's, times b's part of its category, times how
    much nearer b is to a by content than its category is, times the habit of brands. So an item
    without events has the company of its like, and one with many that which was counted.

    Source: Bayesian shrinkage of conditional probabilities; predicting the type before the item as
    in Hao et al. 2020, "P-Companion: a principled framework for diversified complementary product
    recommendation".
    """

    counted: CoOccurrence
    habits: Habits
    category: Rows
    brand: Rows
    part: FloatVector
    content: FloatMatrix
    centres: FloatMatrix

    @classmethod
    def of(cls, context: RankingContext, events: Interactions, half_life_days: float) -> "Company":
        """Count the events of one kind of togetherness."""
        counted = CoOccurrence.of(events, half_life_days=half_life_days or np.inf)
        category, brand = _numbered(context.catalogue)
        content = context.origins.joined().matrix
        members = _membership(category)
        part = _parts(counted.strength, members, category)
        habits = _habits(counted, members, part, category, brand)
        centres = unit_rows(members.T @ content)
        return cls(counted, habits, category, brand, part, content, centres)

    def rates(
        self, rows: Rows, candidates: Neighbours, trusted_at: float, nearness: float
    ) -> FloatMatrix:
        """The rate (b, k) of each candidate of the b rows, below 1; 0 where there is none.

        Counts and expectation weigh the same where an item was counted `trusted_at` times;
        `nearness` is the gain in cosine that multiplies the expectation by e.
        """
        found = candidates.found
        asking = np.nonzero(found)[0]
        seeds, items = rows[asking], candidates.rows[found]
        counts = values_at(self.counted.counts(rows), asking.astype(np.int32), items)
        expected = self._expected(seeds, items, nearness)
        rates = np.zeros(found.shape, dtype=np.float32)
        weight = self.counted.strength[seeds] + np.float32(trusted_at)
        rates[found] = (counts + trusted_at * expected / (1 + expected)) / weight
        return rates

    def lift(self, rows: Rows, candidates: Neighbours) -> FloatMatrix:
        """How many times as often as by chance each candidate (b, k) was counted with its row.

        Shrunk to once; so it is 1 where nothing was counted and nothing was to be expected.
        """
        found = candidates.found
        asking = np.nonzero(found)[0]
        seeds, items = rows[asking], candidates.rows[found]
        counts = values_at(self.counted.counts(rows), asking.astype(np.int32), items)
        strength = self.counted.strength
        chance = strength[seeds] * strength[items] / max(float(strength.sum()), 1e-9)
        lift = np.zeros(found.shape, dtype=np.float32)
        lift[found] = (counts + 1) / (chance + 1)
        return lift

    def leads(self, rows: Rows, candidates: Neighbours) -> FloatMatrix:
        """How much rather the row's category leads to the candidate's than the reverse (b, k).

        1 where it does, the ratio of the two rates where it does not.
        """
        found = candidates.found
        seeds, items = rows[np.nonzero(found)[0]], candidates.rows[found]
        there = self.habits.rate(self.category[seeds], self.category[items])
        back = self.habits.rate(self.category[items], self.category[seeds])
        leads = np.zeros(found.shape, dtype=np.float32)
        leads[found] = np.minimum(1, there / np.maximum(back, 1e-9))
        return leads

    def _expected(self, seeds: Rows, items: Rows, nearness: float) -> FloatVector:
        category = self.category[items]
        expected = self.habits.rate(self.category[seeds], category) * self.part[items]
        for block in blocks(len(seeds), PAIRS):
            beyond = self.content[items[block]] - self.centres[category[block]]
            nearer = np.einsum("pd,pd->p", self.content[seeds[block]], beyond)
            expected[block] *= np.exp(nearer / np.float32(nearness))
        known = (self.brand[seeds] >= 0) & (self.brand[items] >= 0)
        same = self.brand[seeds] == self.brand[items]
        habit = np.where(same, self.habits.same_brand, self.habits.other_brand)
        result: FloatVector = (expected * np.where(known, habit, 1)).astype(np.float32)
        return result


def _numbered(catalogue: Catalogue) -> tuple[Rows, Rows]:
    """Categories from 0, the unknown one among them; brands from 0, -1 where unknown."""
    category, _ = text_codes(catalogue.category)
    brand, names = text_codes(catalogue.brand)
    blank = np.array([not name for name in names], dtype=bool)
    return category, np.where(blank[brand], -1, brand).astype(np.int32)


def _membership(codes: Rows) -> sp.csr_array:
    """Ones where an item has a code (n, largest + 1); none where it is negative."""
    known = np.flatnonzero(codes >= 0)
    ones = np.ones(len(known), dtype=np.float32)
    shape = (len(codes), int(codes.max(initial=-1)) + 1)
    return sp.csr_array((ones, (known, codes[known])), shape=shape)


def _parts(strength: FloatVector, members: sp.csr_array, category: Rows) -> FloatVector:
    """What part of its category each item is (n,): popularity, damped, and a little for all."""
    usual = NOT_SOLD * float(strength.mean()) or 1.0
    damped = (strength + usual) ** POPULARITY
    part: FloatVector = (damped / (members.T @ damped)[category]).astype(np.float32)
    return part


def _habits(
    counted: CoOccurrence, members: sp.csr_array, part: FloatVector, category: Rows, brand: Rows
) -> Habits:
    neutral = _of_categories(counted, members)
    found = _same_brand_share(neutral, counted, part, category, brand)
    if found is None:
        return neutral
    got, expected = found
    return replace(neutral, same_brand=got / expected, other_brand=(1 - got) / (1 - expected))


def _of_categories(counted: CoOccurrence, members: sp.csr_array) -> Habits:
    weight = np.asarray(members.T @ counted.strength, dtype=np.float32)
    share = (weight / max(float(weight.sum()), 1e-9)).astype(np.float32)
    return Habits(_pairs(counted, members), weight, share)


def _same_brand_share(
    habits: Habits, counted: CoOccurrence, part: FloatVector, category: Rows, brand: Rows
) -> tuple[float, float] | None:
    """Share of pairs that have one brand: as counted, and as categories alone let expect.

    None where either is nothing or everything. Items without a brand are no part of it.
    """
    branded = np.flatnonzero(brand >= 0)
    if not len(branded):
        return None
    known = _membership(np.where(brand >= 0, 0, -1).astype(np.int32))
    total = float(_pairs(counted, known).sum())
    same = float(_pairs(counted, _membership(brand)).diagonal().sum())
    asking = sp.csr_array(
        (counted.strength[branded], (category[branded], brand[branded])),
        shape=(len(habits.weight), int(brand.max()) + 1),
    )
    found = sp.csr_array((part[branded], (category[branded], brand[branded])), shape=asking.shape)
    meeting = (asking @ found.T).tocoo()
    met = habits.rate(meeting.row, meeting.col) * meeting.data
    alone = habits.rate(category[branded], category[branded]) * part[branded]
    alone *= counted.strength[branded]
    reach = np.asarray(found.sum(axis=1), dtype=np.float32)
    likely = _expected_total(habits, np.asarray(asking.sum(axis=1)), reach)
    expected = (float(met.sum()) - float(alone.sum())) / max(likely - float(alone.sum()), 1e-9)
    got = same / max(total, 1e-9)
    return (got, expected) if 0 < got < 1 and 0 < expected < 1 else None


def _expected_total(habits: Habits, asking: FloatVector, reach: FloatVector) -> float:
    """The weight of all pairs that categories let expect."""
    prior = CATEGORY_PRIOR * float(habits.weight.mean())
    scale = asking / (habits.weight + max(prior, 1e-9))
    counted = float(scale @ (habits.together @ reach))
    return counted + prior * float(scale.sum()) * float(habits.share @ reach)


def _pairs(counted: CoOccurrence, members: sp.csr_array) -> sp.csr_array:
    """The weight of pairs of different items by what the two are members of (c, c)."""
    of_units = counted.units @ members
    pairs = ((members.T @ counted.by_item) @ of_units).tocsr()
    itself = np.asarray(members.T @ counted.strength)
    pairs = sp.csr_array((pairs - sp.diags_array(itself)).tocsr().astype(np.float32))
    pairs.data[pairs.data < SMALLEST] = 0
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs
