"""Seeds of the simulation, one after the other."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.simulation.shop import Shop, opened
from tests.simulation.simulation import Simulation

Found = tuple[dict[int, str], Counter[str]]
"""What failed, by seed, and what happened how often."""


def chunk(seeds: Sequence[int]) -> Found:
    """Run some seeds in a process of their own."""
    with opened() as shop:
        return run(seeds, shop)


def run(seeds: Iterable[int], shop: Shop, most: int = 1) -> Found:
    """Run seeds until `most` have failed."""
    failed: dict[int, str] = {}
    seen = Counter[str]()
    for seed in seeds:
        simulation = Simulation(seed, shop.without_runs())
        try:
            simulation.run()
        except Exception as error:
            failed[seed] = f"{type(error).__name__}: {error}"
        seen += simulation.seen + Counter(seeds=1)
        if len(failed) >= most:
            break
    return failed, seen
