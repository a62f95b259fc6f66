"""Related lists whose entries are made when somebody looks at them."""

import copy
import dataclasses
import json
import pickle
from collections.abc import Iterator, Sequence

import pytest

from recommender.core.related import RelatedItem, RelatedList, entries_at, unmade

ENTRIES = (RelatedItem("b", 0.75, "both"), RelatedItem("c", 0.5, "text"))


class Counted:
    """Columns that say how often entries were made of them."""

    def __init__(self) -> None:
        self.ids = ["b", "c"]
        self.made = 0

    def items(self) -> tuple[RelatedItem, ...]:
        self.made += 1
        return tuple(RelatedItem(*entry) for entry in ENTRIES)

    def at(self, places: Sequence[int]) -> list[RelatedItem]:
        return [ENTRIES[place] for place in places]


@pytest.fixture
def columns() -> Counted:
    return Counted()


@pytest.fixture
def lazy(columns: Counted) -> RelatedList:
    return unmade("a", "related", 7, "ok", columns, "t0")


@pytest.fixture(params=["given", "unmade"])
def answer(request: pytest.FixtureRequest) -> RelatedList:
    if request.param == "given":
        return RelatedList("a", "related", 7, "ok", ENTRIES, "t0")
    return unmade("a", "related", 7, "ok", Counted(), "t0")


def test_entries_are_made_at_the_first_look_and_once(columns: Counted, lazy: RelatedList) -> None:
    assert (lazy.item, lazy.placement, lazy.generation) == ("a", "related", 7)
    assert (lazy.status, lazy.token, lazy.ids) == ("ok", "t0", ("b", "c"))
    assert columns.made == 0
    assert lazy.items == ENTRIES
    assert lazy.items is lazy.items
    assert columns.made == 1


def test_some_entries_are_made_without_the_others(columns: Counted, lazy: RelatedList) -> None:
    assert entries_at(lazy, [1]) == [ENTRIES[1]]
    assert columns.made == 0
    assert lazy.items == ENTRIES
    assert entries_at(lazy, [1, 0]) == [ENTRIES[1], ENTRIES[0]]


def test_a_list_is_the_same_however_it_came_about(answer: RelatedList) -> None:
    given = RelatedList("a", "related", 7, "ok", ENTRIES, "t0")
    assert answer == given
    assert given == answer
    assert hash(answer) == hash(given)
    assert repr(answer) == repr(given)
    assert answer.ids == ("b", "c")
    assert answer != dataclasses.replace(given, items=ENTRIES[:1])


def test_entries_are_a_tuple(answer: RelatedList) -> None:
    assert type(answer.items) is tuple
    assert answer.items[:1] == ENTRIES[:1]
    assert {type(entry) for entry in answer.items} == {RelatedItem}
    assert json.dumps(answer.items) == '[["b", 0.75, "both"], ["c", 0.5, "text"]]'


def copies(answer: RelatedList) -> Iterator[RelatedList]:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.loads(pickle.dumps(answer, protocol))
    yield copy.copy(answer)
    yield copy.deepcopy(answer)
    yield dataclasses.replace(answer)
    yield RelatedList(**dataclasses.asdict(answer))


def test_a_list_survives_pickling_and_copying(answer: RelatedList) -> None:
    for again in copies(answer):
        assert (again, again.ids, again.items) == (answer, ("b", "c"), ENTRIES)
        assert type(again) is RelatedList


def test_a_list_is_frozen(answer: RelatedList) -> None:
    for name in ("item", "items", "token"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(answer, name, "x")


@pytest.mark.parametrize("name", ["itmes", "columns", "__len__"])
def test_what_a_list_has_not_is_an_attribute_error(answer: RelatedList, name: str) -> None:
    with pytest.raises(AttributeError, match=f"'RelatedList' object has no attribute '{name}'"):
        getattr(answer, name)
