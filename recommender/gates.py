"""When a result may go live by itself."""

from dataclasses import dataclass

from recommender.errors import GateHeld
from recommender.generation import Generation


@dataclass(frozen=True, slots=True)
class Gates:
    """What a build must have beside the live generation.

    `items_share_min`: its items, as a share of the live generation's; `filled_share_min`: lists
    that are not empty, as a share of all (a catalogue of one item has an empty list by nature).
    """

    items_share_min: float = 0.5
    filled_share_min: float = 0.5

    def __post_init__(self) -> None:
        for name in ("items_share_min", "filled_share_min"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name)} is not in 0..1")

    def check(self, *, n_items: int, filled_share: float, live: Generation | None) -> None:
        """Let a build pass, or hold it.

        Raises: GateHeld naming the figure, the limit and how to publish all the same.
        """
        if n_items > 1 and filled_share < self.filled_share_min:
            raise GateHeld(
                f"only {filled_share:.0%} of the lists have an entry, "
                f"gates.filled_share_min is {self.filled_share_min:.0%}; {_REMEDY}"
            )
        if live is not None and n_items < self.items_share_min * live.n_items:
            raise GateHeld(
                f"{n_items:,} items, the live generation {live.id} has {live.n_items:,} and "
                f"gates.items_share_min is {self.items_share_min:.0%}; {_REMEDY}"
            )


_REMEDY = "what is live stays live; look at the input, or publish with --force"
