"""Conflicts: rules that want different things of one list."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.core.arrays import Rows
from recommender.core.lists import ranks_of
from recommender.merchandising.matching import Matched, within

Finder = Callable[[Matched, Matched], str]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two rules, by their numbers, and what becomes of the first because of the second."""

    number: int
    other: int
    message: str


def conflicts(rules: Sequence[Matched]) -> Iterator[Conflict]:
    """The conflicts of some rules that are valid, one for each two, in the order of the file.

    Factors of boost and bury that meet on purpose, such as a brand boosted and one item of it
    buried, are none.
    """
    by_action: dict[str, list[Matched]] = {}
    for matched in rules:
        if not matched.moves_nothing:
            by_action.setdefault(matched.rule.action, []).append(matched)
    groups = {action: _Group.of(some) for action, some in by_action.items()}
    found: dict[tuple[int, int], Conflict] = {}
    for mine, theirs, finder in _FINDERS:
        for one in by_action.get(mine, ()) if theirs in groups else ():
            for other in groups[theirs].near(one):
                pair = one.number, other.number
                if one is other or pair in found or not _one_placement(one, other):
                    continue
                if message := finder(one, other):
                    found[pair] = Conflict(*pair, message)
    yield from (found[pair] for pair in sorted(found))


@dataclass(frozen=True, slots=True)
class _Group:
    """Rules of one action by what they move: item (e,), rising, and the place of the rule."""

    rules: tuple[Matched, ...]
    items: Rows
    places: NDArray[np.int64]
    seats: NDArray[np.int64]

    @classmethod
    def of(cls, rules: Sequence[Matched]) -> "_Group":
        moved = [_items(matched) for matched in rules]
        items = np.concatenate(moved)
        places = np.repeat(np.arange(len(rules)), [len(some) for some in moved])
        order = np.argsort(items)
        seats = np.array([matched.rule.position for matched in rules])
        return cls(tuple(rules), items[order], places[order], seats)

    def near(self, one: Matched) -> list[Matched]:
        """The rules that move something that one moves or puts in, or pin to its position."""
        asked = _items(one) if one.substitute < 0 else np.append(_items(one), one.substitute)
        near = (self.seats == one.rule.position) & (self.seats > 0)
        starts = np.searchsorted(self.items, asked, side="left")
        sizes = np.searchsorted(self.items, asked, side="right") - starts
        near[self.places[np.repeat(starts, sizes) + ranks_of(sizes)]] = True
        return [self.rules[place] for place in np.flatnonzero(near).tolist()]


def _excluded_pin(pin: Matched, exclude: Matched) -> str:
    return "is excluded by" if _shared(pin, exclude) else ""


def _excluded_whole(rule: Matched, exclude: Matched) -> str:
    return "has all that it moves excluded by" if _covered(rule, exclude) else ""


def _excluded_substitute(replace: Matched, exclude: Matched) -> str:
    return "puts in an item that is excluded by" if _puts_into(replace, exclude) else ""


def _replaced_again(one: Matched, other: Matched) -> str:
    return "puts in an item that is itself replaced by" if _puts_into(one, other) else ""


def _replaced_twice(one: Matched, other: Matched) -> str:
    later = one.number > other.number and one.substitute != other.substitute
    return "comes too late for what is replaced by" if later and _shared(one, other) else ""


def _one_seat(one: Matched, other: Matched) -> str:
    if one.number < other.number:
        return ""
    if one.rule.position == other.rule.position:
        same = _items(one), _items(other)
        if np.array_equal(*same) or not _lists_meet(one, other):
            return ""
        return "finds its position taken by"
    return "moves an item that is pinned elsewhere by" if _shared(one, other) else ""


def _against(boost: Matched, bury: Matched) -> str:
    if _narrower(boost, bury) or _narrower(bury, boost) or not _shared(boost, bury):
        return ""
    return "boosts what is buried by"


_FINDERS: tuple[tuple[str, str, Finder], ...] = (
    ("pin", "exclude", _excluded_pin),
    ("boost", "exclude", _excluded_whole),
    ("bury", "exclude", _excluded_whole),
    ("replace", "exclude", _excluded_whole),
    ("replace", "exclude", _excluded_substitute),
    ("replace", "replace", _replaced_again),
    ("replace", "replace", _replaced_twice),
    ("pin", "pin", _one_seat),
    ("boost", "bury", _against),
)


def _one_placement(one: Matched, other: Matched) -> bool:
    mine, theirs = one.rule.placements, other.rule.placements
    return not mine or not theirs or bool({*mine} & {*theirs})


def _shared(one: Matched, other: Matched) -> bool:
    """Whether both move one item in one list."""
    if len(one.pairs):
        return bool(_moves(other, one.pairs[:, 0], one.pairs[:, 1]).any())
    if len(other.pairs):
        return _shared(other, one)
    return _meet(one.targets, other.targets) and _lists_meet(one, other)


def _covered(one: Matched, other: Matched) -> bool:
    """Whether the other rule moves all that one moves, in all of its lists."""
    if len(one.pairs):
        return bool(_moves(other, one.pairs[:, 0], one.pairs[:, 1]).all())
    if len(other.pairs) or len(one.targets) > len(other.targets):
        return False
    return _contains(one.targets, other.targets) and _lists_within(one, other)


def _narrower(one: Matched, other: Matched) -> bool:
    """Whether one is the exception to the other's rule."""
    return _covered(one, other) and not _covered(other, one)


def _puts_into(replace: Matched, other: Matched) -> bool:
    """Whether the other rule moves the substitute in a list where it may come in."""
    if len(other.pairs):
        pairs = other.pairs[other.pairs[:, 1] == replace.substitute]
        return _meet(pairs[:, 0], _owners(replace))
    if not within(np.array([replace.substitute], dtype=np.int32), other.targets).any():
        return False
    return _lists_meet(replace, other)


def _moves(rule: Matched, owners: Rows, items: Rows) -> NDArray[np.bool_]:
    """Which of some owners and items (p,) a rule moves."""
    if len(rule.pairs):
        width = np.int64(1 + max(int(rule.pairs.max()), int(items.max(initial=0))))
        keys = rule.pairs[:, 0] * width + rule.pairs[:, 1]
        return np.isin(owners * width + items, keys)
    every = np.ones(len(owners), dtype=bool)
    return within(items, rule.targets) & (
        every if rule.owners is None else within(owners, rule.owners)
    )


def _items(rule: Matched) -> Rows:
    return np.unique(rule.pairs[:, 1]) if len(rule.pairs) else rule.targets


def _owners(rule: Matched) -> Rows | None:
    return np.unique(rule.pairs[:, 0]) if len(rule.pairs) else rule.owners


def _lists_meet(one: Matched, other: Matched) -> bool:
    return _meet(_owners(one), _owners(other))


def _lists_within(one: Matched, other: Matched) -> bool:
    mine, theirs = _owners(one), _owners(other)
    return theirs is None or (mine is not None and _contains(mine, theirs))


def _contains(some: Rows, rising: Rows) -> bool:
    return bool(within(some, rising).all())


def _meet(one: Rows | None, other: Rows | None) -> bool:
    """Whether two rising sets of rows have one in common; None means all rows."""
    if one is None or other is None:
        return all(rows is None or len(rows) > 0 for rows in (one, other))
    if not len(one) or not len(other) or one[-1] < other[0] or other[-1] < one[0]:
        return False
    few, many = (one, other) if len(one) <= len(other) else (other, one)
    return bool(within(few, many).any())
