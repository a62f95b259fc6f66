"""Which events belong together: baskets, sessions or users."""

from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from recommender.arrays import FloatVector
from recommender.errors import ConfigError
from recommender.interactions import Interactions, Unit

UnitChoice = Literal["auto", "basket", "session", "user"]
UNIT_CHOICES: tuple[UnitChoice, ...] = get_args(UnitChoice)


def units_by_items(interactions: Interactions, choice: UnitChoice) -> sp.csr_array:
    """Units by items (u, n) with event weights; `auto` is the finest unit that the shop gives.

    Raises: ConfigError where the choice is unknown.
    """
    if choice not in UNIT_CHOICES:
        raise ConfigError(f"unit = {choice!r}; allowed: {', '.join(UNIT_CHOICES)}")
    unit: Unit = interactions.finest_unit() if choice == "auto" else choice
    return interactions.matrix(unit)


def support(seen: sp.csr_array) -> FloatVector:
    """Distinct units of each item (n,)."""
    return np.bincount(seen.indices, minlength=seen.shape[1]).astype(np.float32)
