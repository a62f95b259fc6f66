"""Co-purchase affinity: how likely two items are bought together, even where counts are few."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from recommender.core.arrays import FloatMatrix, FloatVector, Rows, blocks, text_codes, unit_rows
from recommender.core.catalogue import Catalogue, brand_codes
from recommender.core.co_occurrence import CoOccurrence, values_at
from recommender.core.half_life import HalfLife, days_in
from recommender.core.interactions import Interactions, Unit
from recommender.core.neighbours import Neighbours
from recommender.core.protocols import RankingContext

POPULARITY = 0.2
NOT_SOLD = 0.5
CATEGORY_PRIOR = 0.1
PAIRS = 32_768
SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class CategoryAffinity:
    """How often categories, and brands, occur together; c categories.

    `together` (c, c) holds the weight of pairs of items by category, `weight` (c,) the weight of
    each category, and `share` (c,) its share of the total. Two items of one brand occur together
    `same_brand` times as often as their categories predict, items of two brands `other_brand`
    times.
    """

    together: sp.csr_array
    weight: FloatVector
    share: FloatVector
    same_brand: float = 1.0
    other_brand: float = 1.0

    @classmethod
    def of(
        cls, catalogue: Catalogue, interactions: Interactions, unit: Unit = "auto"
    ) -> tuple[Rows, "CategoryAffinity"]:
        """The category of each item (n,), and the affinity of categories; brands are left at 1."""
        category, _ = text_codes(catalogue.category)
        counted = CoOccurrence.of(interactions, unit)
        return category, _of_categories(counted, _membership(category))

    def rate(self, asking: Rows, found: Rows) -> FloatVector:
        """The share of a category's units that also hold another, for pairs of category codes (p,).

        It is shrunk towards the other category's overall share, by a tenth of the mean weight.
        """
        prior = CATEGORY_PRIOR * float(self.weight.mean())
        counted = values_at(self.together, asking, found)
        expected = prior * self.share[found]
        rates: FloatVector = (counted + expected) / (self.weight[asking] + max(prior, 1e-9))
        return rates


@dataclass(frozen=True, slots=True)
class CoPurchaseAffinity:
    """Counts of pairs, smoothed by what category, brand and content predict.

    For an item a that was counted w times, the rate of b is (count + m e) / (w + m). The prior e is
    the rate of b's category given a's, times b's part of its category, times how much nearer b is
    to a by content than its category is, times the affinity of the brands. So an item without
    events takes the affinity of similar items, and an item with many events its own counts.

    Source: Bayesian shrinkage of conditional probabilities; predicting the type before the item as
    in Hao et al. 2020, "P-Companion: a principled framework for diversified complementary product
    recommendation".
    """

    counted: CoOccurrence
    by_category: CategoryAffinity
    category: Rows
    brand: Rows
    part: FloatVector
    content: FloatMatrix
    centres: FloatMatrix

    @classmethod
    def of(
        cls, context: RankingContext, events: Interactions, half_life_days: HalfLife
    ) -> "CoPurchaseAffinity":
        """Count the pairs of some events; counts halve every `half_life_days`."""
        counted = CoOccurrence.of(events, half_life_days=days_in(half_life_days, events))
        category, brand = _numbered(context.catalogue)
        content = context.origins.joined().matrix
        members = _membership(category)
        part = _parts(counted.strength, members, category)
        by_category = _category_affinity(counted, members, part, category, brand)
        centres = unit_rows(members.T @ content)
        return cls(counted, by_category, category, brand, part, content, centres)

    def rates(
        self, rows: Rows, candidates: Neighbours, trusted_at: float, nearness: float
    ) -> FloatMatrix:
        """The rate (b, k) of each candidate of the b rows, below 1; 0 where there is no candidate.

        Counts and prior weigh the same where an item was counted `trusted_at` times. `nearness` is
        the gain in cosine that multiplies the prior by e.
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
        """How many times more often than by chance each candidate (b, k) occurs with its row.

        The lift is shrunk towards 1, which it is where nothing was counted or expected.
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
        """How much more the row's category leads to the candidate's than the reverse (b, k).

        1 where it leads at least as often, else the ratio of the two rates.
        """
        found = candidates.found
        seeds, items = rows[np.nonzero(found)[0]], candidates.rows[found]
        there = self.by_category.rate(self.category[seeds], self.category[items])
        back = self.by_category.rate(self.category[items], self.category[seeds])
        leads = np.zeros(found.shape, dtype=np.float32)
        leads[found] = np.minimum(1, there / np.maximum(back, 1e-9))
        return leads

    def _expected(self, seeds: Rows, items: Rows, nearness: float) -> FloatVector:
        category = self.category[items]
        expected = self.by_category.rate(self.category[seeds], category) * self.part[items]
        for block in blocks(len(seeds), PAIRS):
            beyond = self.content[items[block]] - self.centres[category[block]]
            nearer = np.einsum("pd,pd->p", self.content[seeds[block]], beyond)
            expected[block] *= np.exp(nearer / np.float32(nearness))
        known = (self.brand[seeds] >= 0) & (self.brand[items] >= 0)
        same = self.brand[seeds] == self.brand[items]
        brands = np.where(same, self.by_category.same_brand, self.by_category.other_brand)
        result: FloatVector = (expected * np.where(known, brands, 1)).astype(np.float32)
        return result


def _numbered(catalogue: Catalogue) -> tuple[Rows, Rows]:
    """Category codes, unknown as one of them, and brand codes, -1 where unknown."""
    category, _ = text_codes(catalogue.category)
    return category, brand_codes(catalogue)


def _membership(codes: Rows) -> sp.csr_array:
    """A sparse indicator of each item's code (n, largest + 1); negative codes have no entry."""
    known = np.flatnonzero(codes >= 0)
    ones = np.ones(len(known), dtype=np.float32)
    shape = (len(codes), int(codes.max(initial=-1)) + 1)
    return sp.csr_array((ones, (known, codes[known])), shape=shape)


def _parts(strength: FloatVector, members: sp.csr_array, category: Rows) -> FloatVector:
    """The part of its category that each item takes (n,): damped popularity, never zero."""
    usual = NOT_SOLD * float(strength.mean()) or 1.0
    damped = (strength + usual) ** POPULARITY
    part: FloatVector = (damped / (members.T @ damped)[category]).astype(np.float32)
    return part


def _category_affinity(
    counted: CoOccurrence, members: sp.csr_array, part: FloatVector, category: Rows, brand: Rows
) -> CategoryAffinity:
    neutral = _of_categories(counted, members)
    found = _same_brand_share(neutral, counted, part, category, brand)
    if found is None:
        return neutral
    got, expected = found
    return replace(neutral, same_brand=got / expected, other_brand=(1 - got) / (1 - expected))


def _of_categories(counted: CoOccurrence, members: sp.csr_array) -> CategoryAffinity:
    weight = np.asarray(members.T @ counted.strength, dtype=np.float32)
    share = (weight / max(float(weight.sum()), 1e-9)).astype(np.float32)
    return CategoryAffinity(_pairs(counted, members), weight, share)


def _same_brand_share(
    by_category: CategoryAffinity,
    counted: CoOccurrence,
    part: FloatVector,
    category: Rows,
    brand: Rows,
) -> tuple[float, float] | None:
    """The share of pairs of one brand: as counted, and as the categories alone predict.

    None where either is 0 or 1. Items without a brand are left out.
    """
    branded = np.flatnonzero(brand >= 0)
    if not len(branded):
        return None
    known = _membership(np.where(brand >= 0, 0, -1).astype(np.int32))
    total = float(_pairs(counted, known).sum())
    same = float(_pairs(counted, _membership(brand)).diagonal().sum())
    asking = sp.csr_array(
        (counted.strength[branded], (category[branded], brand[branded])),
        shape=(len(by_category.weight), int(brand.max()) + 1),
    )
    found = sp.csr_array((part[branded], (category[branded], brand[branded])), shape=asking.shape)
    meeting = (asking @ found.T).tocoo()
    met = by_category.rate(meeting.row, meeting.col) * meeting.data
    alone = by_category.rate(category[branded], category[branded]) * part[branded]
    alone *= counted.strength[branded]
    reach = np.asarray(found.sum(axis=1), dtype=np.float32)
    likely = _expected_total(by_category, np.asarray(asking.sum(axis=1)), reach)
    expected = (float(met.sum()) - float(alone.sum())) / max(likely - float(alone.sum()), 1e-9)
    got = same / max(total, 1e-9)
    return (got, expected) if 0 < got < 1 and 0 < expected < 1 else None


def _expected_total(
    by_category: CategoryAffinity, asking: FloatVector, reach: FloatVector
) -> float:
    """The weight of all pairs that the categories predict."""
    prior = CATEGORY_PRIOR * float(by_category.weight.mean())
    scale = asking / (by_category.weight + max(prior, 1e-9))
    counted = float(scale @ (by_category.together @ reach))
    return counted + prior * float(scale.sum()) * float(by_category.share @ reach)


def _pairs(counted: CoOccurrence, members: sp.csr_array) -> sp.csr_array:
    """The weight of pairs of different items, by the groups of the two (c, c)."""
    of_units = counted.units @ members
    pairs = ((members.T @ counted.by_item) @ of_units).tocsr()
    itself = np.asarray(members.T @ counted.strength)
    pairs = sp.csr_array((pairs - sp.diags_array(itself)).tocsr().astype(np.float32))
    pairs.data[pairs.data < SMALLEST] = 0
    pairs.eliminate_zeros()
    pairs.sort_indices()
    return pairs
