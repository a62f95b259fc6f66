"""Joining: how much the interactions and the catalogue have in common, and why not more."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from recommender.errors import DataError
from recommender.readers.id_differences import Explanations

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """Why sold ids are not in the catalogue: how many, in how many events, an example of both.

    `setting` repairs them, "" where none does.
    """

    what: str
    setting: str
    ids: int
    events: int
    sold: str
    listed: str

    def __str__(self) -> str:
        listed = f" against {self.listed!r:.60}" if self.listed else ""
        remedy = f"; set {self.setting}" if self.setting else ""
        return (
            f"{self.what}: {self.sold!r:.60}{listed} "
            f"({self.ids:,} ids, {self.events:,} events){remedy}"
        )


@dataclass(frozen=True, slots=True)
class Join:
    """What one source of interactions, by its key, has in common with the catalogue.

    `joined_events` of its events and `joined_ids` of its distinct ids name an item of the
    catalogue, and `sold_items` of the `shown_items` that may be shown were sold. `causes` explain
    the others, those of most events first.
    """

    source: str
    events: int
    joined_events: int
    ids: int
    joined_ids: int
    shown_items: int
    sold_items: int
    causes: tuple[Cause, ...]
    sold_examples: tuple[str, ...] = ()
    listed_examples: tuple[str, ...] = ()

    def shares(self) -> str:
        """The shares in words."""
        return (
            f"{self.joined_events:,} of {self.events:,} events and {self.joined_ids:,} of "
            f"{self.ids:,} sold ids are of items in the catalogue, and {self.sold_items:,} of "
            f"{self.shown_items:,} items for sale were sold"
        )

    def warning(self) -> str:
        """What to look at, "" where nothing explains the ids that the catalogue lacks."""
        if not self.causes:
            return ""
        return f"{self.source}: {self.shares()}. {'. '.join(map(str, self.causes))}"


def joined(
    source: str, sold: Mapping[str, int], ids: Collection[str], shown: Collection[str]
) -> Join:
    """Compare the events of each `sold` id of a source with the catalogue's `ids`.

    `shown` are those of its items that may be shown.
    """
    known = frozenset(ids)
    missing = {value: count for value, count in sold.items() if value not in known}
    met = [value for value in sold if value in known]
    return Join(
        source=source,
        events=sum(sold.values()),
        joined_events=sum(sold[value] for value in met),
        ids=len(sold),
        joined_ids=len(met),
        shown_items=len(shown),
        sold_items=sum(value in sold for value in shown),
        causes=tuple(_causes(source, missing, known)) if missing else (),
        sold_examples=tuple(sorted(missing, key=lambda value: (-missing[value], value))[:SHOWN]),
        listed_examples=tuple(sorted(known)[:SHOWN]),
    )


def require_joined(
    joins: Collection[Join], share_min: float, other_columns: Callable[[str], str]
) -> None:
    """Check that each source meets the catalogue in enough of its events.

    Several ids in one cell are never ids of items, so that share of them is refused as well.
    `other_columns` says which other columns of a source would meet the catalogue, "" for none.

    Raises: DataError with the likely causes and examples.
    """
    for join in joins:
        in_cells = sum(cause.events for cause in join.causes if "split =" in cause.setting)
        enough = join.joined_events >= share_min * join.events
        if not join.events or (enough and in_cells <= share_min * join.events) or not share_min:
            continue
        likely = ". ".join(filter(None, (*map(str, join.causes), other_columns(join.source))))
        if not likely:
            likely = (
                f"ids sold: {_quoted(join.sold_examples)}; ids of the catalogue: "
                f"{_quoted(join.listed_examples)}. Map columns.item to the ids of the catalogue"
            )
        raise DataError(
            f"{join.source} does not fit the catalogue: {join.shares()} "
            f"(limits.joined_share_min is {share_min:.0%}). {likely}"
        )


def _quoted(examples: Collection[str]) -> str:
    return ", ".join(f"{value!r:.60}" for value in examples) or "none"


def _causes(source: str, missing: Mapping[str, int], known: frozenset[str]) -> Iterator[Cause]:
    """The causes that explain missing ids, each id by the first that does."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    explain = Explanations(known, source)
    for value in missing:
        what, setting, listed = explain.of(value)
        if what:
            found.setdefault((what, setting), []).append((value, listed))
    weighed = [
        (sum(missing[value] for value, _ in pairs), what, setting, pairs)
        for (what, setting), pairs in found.items()
    ]
    for events, what, setting, pairs in sorted(weighed, key=lambda each: (-each[0], each[1])):
        sold, listed = max(pairs, key=lambda pair: (missing[pair[0]], pair))
        yield Cause(what, setting, len(pairs), events, sold, listed)
