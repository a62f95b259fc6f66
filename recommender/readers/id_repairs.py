"""Id repairs: changes of item ids that an export wrote differently from the catalogue."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from recommender.core.item_id import MAX_BYTES
from recommender.readers.checks import require, require_pattern

SPLIT = "several item ids in one cell"


@dataclass(frozen=True, slots=True)
class IdRepairs:
    """How item ids are repaired, in this order; by default they stay as they are.

    `split` separates several ids in one cell. `extract` is a regular expression whose first group
    is the id, matched from the start. `strip_suffix` is removed from the end of an id, such as
    ".0". `pad` is the length to which ids of digits are filled with zeros from the left. With
    `fold_case`, an id that equals one id of the catalogue but for case becomes that id.

    Raises: ValueError naming the setting that is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    split: str = ""
    extract: str = ""
    strip_suffix: str = ""
    pad: int = 0
    fold_case: bool = False

    def __post_init__(self) -> None:
        require_pattern("ids.extract", self.extract)
        grouped = not self.extract or re.compile(self.extract).groups > 0
        require(grouped, "ids.extract", self.extract, "put the id into a group: ( )")
        require(0 <= self.pad <= MAX_BYTES, "ids.pad", self.pad, f"give 0 to {MAX_BYTES}")

    def repaired(
        self, texts: Sequence[str], known: Mapping[str, str]
    ) -> tuple[tuple[str, ...], list[str]]:
        """The repaired ids, and what was changed in each; `known` are ids by their folded form."""
        if not (self.extract or self.strip_suffix or self.pad or self.fold_case):
            return tuple(texts), [""] * len(texts)
        extract = re.compile(self.extract) if self.extract else None
        repaired, changes = [], []
        for text in texts:
            value, done = text, []
            if extract and (match := extract.match(value)):
                value = (match[1] or "").strip()
                done += ["extracted"] if value != text else []
            if self.strip_suffix and value.endswith(self.strip_suffix):
                value = value.removesuffix(self.strip_suffix) or value
                done += ["suffix removed"]
            if self.pad and value.isdigit() and len(value) < self.pad:
                value = value.zfill(self.pad)
                done += ["zeros added"]
            if self.fold_case and (other := known.get(value.casefold(), value)) != value:
                value = other
                done += ["case folded"]
            repaired.append(value)
            changes.append(f"item id: {', '.join(done)}" if done else "")
        return tuple(repaired), changes


def by_folded_case(ids: Iterable[str]) -> dict[str, str]:
    """The ids by their folded form; those that differ from another only in case are left out."""
    distinct = frozenset(ids)
    counts = Counter(value.casefold() for value in distinct)
    return {value.casefold(): value for value in distinct if counts[value.casefold()] == 1}
