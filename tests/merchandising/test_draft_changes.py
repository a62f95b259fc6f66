"""What an action on a card, or on a command line, adds to a draft."""

import pytest

from recommender.errors import ConfigError, DataError
from recommender.merchandising.draft_changes import Wanted
from recommender.merchandising.drafts import Draft
from recommender.merchandising.rule_set import MerchandisingRule, RuleSet, Selection

NOBODY = Draft("maria", "")
RULES = RuleSet((MerchandisingRule("old", "exclude"),))


def added(wanted: Wanted) -> list[str]:
    draft = wanted.into(NOBODY, RULES, "maria", "")
    return [f"{change.name}: {change}" for change in draft.changes]


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        (
            Wanted("pin", ["a", "b"], fields={"position": "3", "placement": ["related"]}),
            ["pin-a: pin a to 3, related", "pin-b: pin b to 4, related"],
        ),
        (
            Wanted("pin", ["a"], lists_of=Selection(items=("s",)), name="mine"),
            ["mine: pin a to 1 in lists of s"],
        ),
        (
            Wanted("boost", what=Selection(brands=("B",)), lists_of=Selection(categories=("C",))),
            ["boost-b: boost brand B by 2 in lists of category C"],
        ),
        (
            Wanted("bury", ["a", "b"], fields={"by": "5", "until": "2026-12-24", "from": ""}),
            ["bury-a: bury a, b by 5, until 2026-12-24"],
        ),
        (
            Wanted("exclude", what=Selection(categories=("A>B",))),
            ["exclude-a-b: exclude category A > B"],
        ),
        (
            Wanted("replace", ["a", "b"], fields={"with": "c"}),
            ["replace-a: replace a with c", "replace-b: replace b with c"],
        ),
        (Wanted("hide", ["a", "b"]), ["a: hide a", "b: hide b"]),
        (Wanted("withdraw", ["old"]), ["old: withdraw rule old"]),
    ],
)
def test_actions(wanted: Wanted, changes: list[str]) -> None:
    assert added(wanted) == changes


def test_a_rule_of_the_file_is_replaced_by_its_name() -> None:
    (change,) = Wanted("exclude", ["a"], name="old").into(NOBODY, RULES, "maria", "").changes
    assert (change.name, change.replaces) == ("old", True)


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (Wanted("explode", ["a"]), ConfigError, "action 'explode': there are pin, boost"),
        (Wanted("exclude"), ConfigError, "nothing to exclude: name an item, a brand or a category"),
        (Wanted("pin", what=Selection(brands=("B",))), ConfigError, "pin takes items; name one"),
        (Wanted("hide"), ConfigError, "nothing to hide: name an item"),
        (Wanted("replace", ["a"]), DataError, "there is no with"),
        (Wanted("withdraw", ["new"]), DataError, "there is no rule 'new' in the file to withdraw"),
        (Wanted("pin", ["a"], fields={"position": "x"}), DataError, "position 'x' is no whole"),
    ],
)
def test_what_is_refused(wanted: Wanted, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        added(wanted)
