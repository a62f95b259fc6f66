"""Evidence: what each entry of a list rests on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, blocks
from recommender.core.neighbours import Neighbours
from recommender.core.related import EVIDENCE
from recommender.core.vectors import Embeddings, Origins

SAMPLED_PAIRS = 20_000
NEAR_QUANTILE = 0.99
BLOCK = 512

_CONTENT, _BEHAVIOUR, _BOTH = (EVIDENCE.index(name) for name in ("text", "behaviour", "both"))


@dataclass(frozen=True, slots=True)
class EvidenceScale:
    """What counts as near in each origin: the cosine that 1 % of random pairs exceed."""

    origins: Origins
    near: Mapping[str, float]

    @classmethod
    def measured(cls, origins: Origins, seed: int = 0) -> "EvidenceScale":
        """Measure on a seeded sample of pairs of items with support."""
        near = {name: _near(origin, seed) for name, origin in origins.by_name().items()}
        return cls(origins, near)

    def codes(self, rows: Rows, neighbours: Neighbours) -> NDArray[np.uint8]:
        """Evidence (b, k) of the neighbours of the b rows, as indexes of `EVIDENCE`.

        `text` where the pair is near in some content origin (the published code keeps its name),
        `behaviour` where it is near in some interaction model, `both` where in both; where it is
        near in neither, the one in which it comes closer to that.
        """
        codes = np.zeros(neighbours.rows.shape, dtype=np.uint8)
        for block in blocks(len(rows), BLOCK):
            content = self._margin(self.origins.content, rows[block], neighbours.rows[block])
            behaviour = self._margin(self.origins.behaviour, rows[block], neighbours.rows[block])
            stronger = np.where(content >= behaviour, _CONTENT, _BEHAVIOUR)
            codes[block] = np.where((content > 0) & (behaviour > 0), _BOTH, stronger)
        return codes

    def _margin(
        self, embeddings: Mapping[str, Embeddings], rows: Rows, found: Rows
    ) -> NDArray[np.float32]:
        """By how much each pair (b, k) is nearer than near in the origin that suits it best."""
        best = np.full(found.shape, -2.0, np.float32)
        for name, origin in embeddings.items():
            targets = (origin.matrix if origin.targets is None else origin.targets)[found]
            lengths = np.sqrt(np.einsum("bkd,bkd->bk", targets, targets))
            products = np.einsum("bd,bkd->bk", origin.matrix[rows], targets)
            cosines = products / np.where(lengths > 0, lengths, 1)
            known = (origin.support[rows] > 0)[:, None] & (origin.support[found] > 0)
            best = np.maximum(best, np.where(known, cosines - self.near[name], -2))
        return best


def _near(origin: Embeddings, seed: int) -> float:
    known = np.flatnonzero(origin.support > 0)
    if len(known) < 2:
        return 1.0
    rng = np.random.default_rng(seed)
    left, right = rng.choice(known, (2, SAMPLED_PAIRS))
    different = left != right
    cosines = np.einsum("pd,pd->p", origin.matrix[left[different]], origin.matrix[right[different]])
    return float(np.quantile(cosines, NEAR_QUANTILE))
