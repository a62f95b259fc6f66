"""The bar that a default recipe must clear, and where one falls short of it."""

from collections.abc import Mapping

from recommender.evaluation.intervals import Interval
from recommender.evaluation.slices import ALL, COLD

LEAST_QUERIES = 300
TEXT_BASELINES = ("text alone", "plain concatenation")

Differences = Mapping[str, Mapping[str, Interval]]


def shortfalls(differences: Differences, sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Where a recipe misses the bar, one line each.

    `differences` are recipe minus baseline by baseline and slice, `sizes` the queries by slice.
    The bar: above each baseline overall, with the whole 95 % interval; wholly below none on any
    slice of at least 300 queries; on simulated cold items above what knows the text.
    """
    found = []
    for name, parts in differences.items():
        if parts[ALL].low <= 0:
            found.append(f"not above {name} overall")
        found += [
            f"below {name} on {part}"
            for part, mean in parts.items()
            if part != ALL and sizes[part] >= LEAST_QUERIES and mean.high < 0
        ]
        if name in TEXT_BASELINES and COLD in parts and parts[COLD].low <= 0:
            found.append(f"not above {name} on {COLD} items")
    return tuple(found)


def worst_slice(parts: Mapping[str, Interval], sizes: Mapping[str, int]) -> str:
    """The slice of at least 300 queries on which a difference is smallest; of none, all."""
    large = [part for part in parts if part != ALL and sizes[part] >= LEAST_QUERIES]
    return min(large, key=lambda part: parts[part].value, default=ALL)
