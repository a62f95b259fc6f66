"""Generation: one complete published build."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["live", "previous", "canary", "overlay", ""]


@dataclass(frozen=True, slots=True)
class Generation:
    """What Redis knows of one published build.

    `id` is the fence under which it was written; `lists_key` names the artifact that it was
    published from; `created_at` is epoch seconds of the server's clock. An overlay holds lists of
    a few items and lies on the full generation `base`, which is 0 for a full one.
    """

    id: int
    state: Literal["staging", "complete"]
    created_at: int
    recipe_digest: str
    lists_key: str
    n_items: int
    n_lists: int
    n_entries: int
    placements: tuple[str, ...] = ()
    base: int = 0
    role: Role = ""
