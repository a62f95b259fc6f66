"""Basis: what the lists of one build are chosen from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recommender.catalogue import Catalogue
from recommender.interactions import Interactions
from recommender.neighbours import Neighbours
from recommender.vectors import Embeddings, ItemVectors


@dataclass(frozen=True, slots=True)
class Basis:
    """Catalogue, interactions, embeddings by name and the item vectors made of them.

    `near_by_text` finds the nearest items by text of all items (n, k), once, when first asked.
    Only what `users_min` distinct users had together counts as behaviour of a pair.
    """

    catalogue: Catalogue
    interactions: Interactions
    embeddings: Mapping[str, Embeddings]
    vectors: ItemVectors
    near_by_text: Callable[[], Neighbours]
    users_min: int = 1
