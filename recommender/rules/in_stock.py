"""Only what can be bought."""

from dataclasses import dataclass

from recommender.basis import Basis
from recommender.rules.allowed import Allowed


@dataclass(frozen=True, slots=True)
class InStock:
    """Drops items that the catalogue says are out of stock."""

    def prepare(self, basis: Basis) -> Allowed:
        """Look at the catalogue."""
        return Allowed(basis.catalogue.in_stock)
