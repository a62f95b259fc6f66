"""Whether all lists of what is live are still there; readers cannot tell lost from unknown."""

from dataclasses import dataclass

from recommender.publishing.generations import Generations
from recommender.publishing.lists import Lists
from recommender.serving.connection import Store, store_errors
from recommender.serving.keys import Keys

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Audit:
    """How many lists a generation was published with, and how many of them the server has."""

    generation: int
    published: int
    found: int


def audit(store: Store, shop: str) -> Audit | None:
    """Count the lists of the full generation that is live, None where there is none.

    Goes through all keys of the server, a thousand at a time. Raises: StoreUnavailable.
    """
    keys = Keys(shop)
    generations = Generations(store, keys, BATCH)
    with store_errors(f"shop {shop}: counting the lists failed", "see to the server"):
        pointer = generations.live()
        generation = generations.described(pointer.generation) if pointer else None
        if generation is None:
            return None
        matching = Lists(store).matching(keys.related_lists(generation.id), BATCH)
        return Audit(
            generation.id,
            generation.n_lists + len(generation.placements),  # with each one's best sellers
            len({name for names in matching for name in names}),
        )
