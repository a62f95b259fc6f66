"""Matching: rules as rows of a catalogue, unknown names, and the entries that a rule means."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows, frozen, text_codes
from recommender.core.catalogue import Catalogue
from recommender.core.labels import beginnings
from recommender.core.lists import ranks_of
from recommender.merchandising.rule_set import MerchandisingRule, Selection

Places = NDArray[np.int64]
Kind = Literal["item", "brand", "category", "placement"]
COMPARED_NAMES = 3000
NOTHING: Rows = frozen(np.zeros(0, dtype=np.int32))
NO_PLACES: Places = frozen(np.zeros(0, dtype=np.int64))
NO_PAIRS: NDArray[np.int32] = frozen(np.zeros((0, 2), dtype=np.int32))


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that the catalogue, or the recipe, does not have, and what may have been meant."""

    kind: Kind
    name: str
    meant: str = ""

    def __str__(self) -> str:
        hint = f"; did you mean {self.meant!r:.60}?" if self.meant else ""
        return f"there is no {self.kind} {self.name!r:.60}{hint}"


@dataclass(frozen=True, slots=True)
class Matched:
    """A rule as rows: it moves `targets` in the lists of `owners`, or the second of each pair.

    `owners` (o,), `targets` (t,) and `pairs` (p, 2) rise; `owners` is None for every list.
    `number` is the rule's place in its set, `substitute` a row, -1 where there is none.
    """

    number: int
    rule: MerchandisingRule
    owners: Rows | None
    targets: Rows
    pairs: NDArray[np.int32]
    substitute: int

    @property
    def moves_nothing(self) -> bool:
        """Whether the catalogue has nothing for it to move, or no list to move it in."""
        if self.rule.action == "replace" and self.substitute < 0:
            return True
        nowhere = self.owners is not None and not len(self.owners)
        return not len(self.pairs) and (nowhere or not len(self.targets))


@dataclass(frozen=True)
class Shelves:
    """A catalogue by id, brand and category."""

    catalogue: Catalogue

    def matched(self, number: int, rule: MerchandisingRule) -> Matched:
        """One rule as rows; names that are unknown select nothing."""
        ids = self.catalogue.ids
        pairs = np.array([ids.rows(pair) for pair in rule.pairs], dtype=np.int32).reshape(-1, 2)
        pairs = pairs[(pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1])]
        return Matched(
            number=number,
            rule=rule,
            owners=None if rule.in_every_list else self.rows(rule.lists_of),
            targets=NOTHING if rule.pairs else self.rows(rule.what),
            pairs=frozen(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]) if len(pairs) else NO_PAIRS,
            substitute=int(ids.rows([rule.substitute])[0]) if rule.substitute else -1,
        )

    def rows(self, selection: Selection) -> Rows:
        """The rows that a selection means, rising; none for one without parts."""
        parts = []
        if selection.items:
            known = self.catalogue.ids.rows(selection.items)
            parts.append(np.unique(known[known >= 0]))
        if selection.brands:
            parts.append(_joined(self._brands, selection.brands))
        if selection.categories:
            parts.append(_joined(self._categories, selection.categories))
        if not parts:
            return NOTHING
        rows = parts[0]
        for part in parts[1:]:
            rows = np.intersect1d(rows, part, assume_unique=True)
        return frozen(rows.astype(np.int32))

    def unknown(self, rule: MerchandisingRule) -> Iterator[Unknown]:
        """The names of one rule that the catalogue does not have."""
        of_pairs = chain.from_iterable(rule.pairs)
        ids = [*rule.what.items, *rule.lists_of.items, *of_pairs, rule.substitute]
        for name in dict.fromkeys(ids):
            if name and name not in self.catalogue.ids:
                yield Unknown("item", name, self._meant_id(name))
        for part in (rule.what, rule.lists_of):
            for name in part.brands:
                if name not in self._brands:
                    yield Unknown("brand", name, nearest(name, self._brands))
            for name in part.categories:
                if name not in self._categories:
                    yield Unknown("category", name, nearest(name, self._categories))

    @cached_property
    def _brands(self) -> Mapping[str, Rows]:
        return _by_name(self.catalogue.brand)

    @cached_property
    def _categories(self) -> Mapping[str, Rows]:
        """The rows below every path and every beginning of one."""
        parts: dict[str, list[Rows]] = {}
        for column in (self.catalogue.category, self.catalogue.other_categories):
            for paths, rows in _by_name(column).items():
                for path in chain.from_iterable(map(beginnings, paths.split("\n"))):
                    parts.setdefault(path, []).append(rows)
        return {path: np.unique(np.concatenate(rows)) for path, rows in parts.items()}

    @cached_property
    def _folded(self) -> Mapping[str, str]:
        return {_folded(item): item for item in self.catalogue.ids}

    @cached_property
    def _characters(self) -> str:
        return "".join(sorted({character for item in self._folded for character in item}))

    def _meant_id(self, name: str) -> str:
        """The id that differs in case, spaces or leading zeros, or the only one by a slip."""
        folded = _folded(name)
        if folded in self._folded:
            return self._folded[folded]
        near = {slip for slip in _slips(folded, self._characters) if slip in self._folded}
        return self._folded[near.pop()] if len(near) == 1 else ""


@dataclass(frozen=True)
class BlockIndex:
    """An index of the entries (b, w) of the lists of b owners, which rise.

    A place is a number in the flattened block. With a thousand rules, each one looks at the
    entries that it may mean, not at all of them.
    """

    owners: Rows
    rows: Rows

    @property
    def width(self) -> int:
        """How many entries a list has room for."""
        return int(self.rows.shape[1])

    def places(self, matched: Matched) -> Places:
        """The places of the entries that a rule moves."""
        if len(matched.pairs):
            return self._of_pairs(matched.pairs)
        if matched.owners is None:
            return self._spanned(*self._spans(matched.targets))
        asked = self._lists_of(matched.owners)
        starts, ends = self._spans(matched.targets)
        if len(asked) * self.width <= int((ends - starts).sum()):
            places = (asked[:, None] * self.width + np.arange(self.width)).ravel()
            return places[within(self.rows.ravel()[places], matched.targets)]
        places = self._spanned(starts, ends)
        return places[within(self.owners[places // self.width], matched.owners)]

    def seats(self, matched: Matched) -> tuple[Places, Rows]:
        """Where a rule would put what it moves: numbers of lists, and a row for each."""
        if len(matched.pairs):
            return self._near_pairs(matched.pairs)
        every = np.arange(len(self.owners))
        lists = every if matched.owners is None else self._lists_of(matched.owners)
        targets = np.tile(matched.targets, len(lists))
        return np.repeat(lists, len(matched.targets)), targets

    def _of_pairs(self, pairs: NDArray[np.int32]) -> Places:
        lists, targets = self._near_pairs(pairs)
        at, column = np.nonzero(self.rows[lists] == targets[:, None])
        return lists[at] * self.width + column

    def _near_pairs(self, pairs: NDArray[np.int32]) -> tuple[Places, Rows]:
        low, high = self._bounds(pairs[:, 0])
        near = pairs[low:high]
        near = near[within(near[:, 0], self.owners)]
        return _positions(self.owners, near[:, 0]), near[:, 1]

    def _lists_of(self, owners: Rows) -> Places:
        low, high = self._bounds(owners)
        near = owners[low:high]
        return _positions(self.owners, near[within(near, self.owners)])

    def _bounds(self, owners: Rows) -> tuple[int, int]:
        """Which of some owners, rising, can be among those of the block."""
        if not len(self.owners):
            return 0, 0
        low = int(np.searchsorted(owners, self.owners[0], side="left"))
        return low, int(np.searchsorted(owners, self.owners[-1], side="right"))

    @cached_property
    def _order(self) -> Places:
        return np.argsort(self.rows.ravel())

    @cached_property
    def _ordered(self) -> Rows:
        return self.rows.ravel()[self._order]

    def _spans(self, targets: Rows) -> tuple[Places, Places]:
        return (
            np.searchsorted(self._ordered, targets, side="left"),
            np.searchsorted(self._ordered, targets, side="right"),
        )

    def _spanned(self, starts: Places, ends: Places) -> Places:
        sizes = ends - starts
        if not sizes.any():
            return NO_PLACES
        places: Places = self._order[np.repeat(starts, sizes) + ranks_of(sizes)]
        return places


def within(values: Rows, rising: Rows) -> NDArray[np.bool_]:
    """Which values are among some rising ones."""
    if not len(rising):
        return np.zeros(len(values), dtype=bool)
    places = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    found: NDArray[np.bool_] = rising[places] == values
    return found


def _positions(rising: Rows, values: Rows) -> Places:
    return np.searchsorted(rising, values).astype(np.int64)


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that is most like a misspelt one, "" where none is like it, or there are too many.

    A difference in case alone is always found.
    """
    known = list(names)
    for other in known:
        if other.casefold() == name.casefold():
            return other
    if len(known) > COMPARED_NAMES:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    return near[0] if near else ""


def _joined(by_name: Mapping[str, Rows], names: Sequence[str]) -> Rows:
    found = [by_name[name] for name in names if name in by_name]
    return np.unique(np.concatenate(found)) if found else NOTHING


def _by_name(texts: Sequence[str]) -> dict[str, Rows]:
    """The rows of each text, rising; an empty text is none."""
    codes, names = text_codes(texts)
    order = np.argsort(codes, kind="stable").astype(np.int32)
    ends = np.searchsorted(codes[order], np.arange(len(names)), side="right")
    parts = np.split(order, ends[:-1]) if len(names) else []
    return {name: rows for name, rows in zip(names, parts, strict=True) if name}


def _folded(name: str) -> str:
    return name.strip().casefold().lstrip("0")


def _slips(name: str, characters: str) -> Iterator[str]:
    """All names that differ from this one in one character, or in two that changed places."""
    for place in range(len(name) + 1):
        head, tail = name[:place], name[place:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        if tail:
            yield head + tail[1:]
            yield from (head + character + tail[1:] for character in characters)
        yield from (head + character + tail for character in characters)
