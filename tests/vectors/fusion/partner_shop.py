"""A shop whose items are bought with the items of a partner word alone."""

import numpy as np

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.core.interactions import Interactions
from recommender.core.telemetry import silent
from recommender.core.vectors import Embeddings, Origins
from recommender.vectors.behaviour.co_occurrence_svd import CoOccurrenceSVD
from tests.support.shops import interactions

Shop = tuple[Origins, Catalogue, Interactions]


WORDS, PER_WORD, COLD_PER_WORD = 8, 12, 1


N_ITEMS = WORDS * PER_WORD


def made_shop() -> Shop:
    """Items of word w are bought with those of its partner alone; the first of each is cold."""
    rng = np.random.default_rng(3)
    word = np.arange(N_ITEMS) % WORDS
    baskets = []
    for _ in range(600):
        first = int(rng.integers(WORDS))
        one, two = (
            rng.choice(np.flatnonzero(word == w)[COLD_PER_WORD:], 2, replace=False)
            for w in (first, first ^ 1)
        )
        baskets.append([int(one[0]), int(two[0])])
    events = interactions(baskets, N_ITEMS)
    centres = np.linalg.qr(rng.normal(size=(32, 32)))[0][:WORDS]
    matrix = centres[word] + 0.05 * rng.normal(size=(N_ITEMS, 32))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    text = Embeddings(matrix.astype(np.float32), np.ones(N_ITEMS, dtype=np.float32))
    behaviour = CoOccurrenceSVD(dimensions=16).fit(events, silent)
    ids = ItemIds(tuple(f"i{row}" for row in range(N_ITEMS)))
    items = Catalogue.of_titles(ids, ["title"] * N_ITEMS)
    return Origins({"text": text}, {"behaviour": behaviour}), items, events
