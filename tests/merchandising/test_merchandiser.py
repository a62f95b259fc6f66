"""What rules make of lists: each action, their precedence, and what holds whatever they say."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recommender.core.catalogue import Catalogue
from recommender.core.lists import Entries, RelatedLists
from recommender.core.neighbours import NONE
from recommender.core.related import EVIDENCE
from recommender.merchandising.merchandiser import MerchandisedBlock, Merchandiser
from tests.merchandising.rule_sets import BRANDS, CATEGORIES, application, goods, listed, placement

TEXT = EVIDENCE.index("text")
SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
N, DEPTH = 12, 5


def applied(
    text: str, rows: list[list[int]], items: Catalogue | None = None, *, rules: tuple[str, ...] = ()
) -> MerchandisedBlock:
    """The lists of the first items after rules."""
    known = goods(N) if items is None else items
    merchandiser = application(text, known).merchandiser(placement(DEPTH, *rules))
    return run(merchandiser, listed(rows, DEPTH))


def run(merchandiser: Merchandiser, lists: Entries, start: int = 0) -> MerchandisedBlock:
    owners = np.arange(start, start + len(lists.rows), dtype=np.int32)
    return merchandiser.apply(owners, lists)


def plain(made: MerchandisedBlock) -> list[list[int]]:
    return [[row for row in rows if row != NONE] for rows in made.entries.rows.tolist()]


def evidence(made: MerchandisedBlock, row: int = 0) -> list[str]:
    return [EVIDENCE[code] for code in made.entries.evidence[row, made.entries.found[row]].tolist()]


def test_pin() -> None:
    made = applied("- {name: a, pin: i009, position: 2}", [[3, 4, 5, 6, 7], [9, 4, 5]])
    assert plain(made) == [[3, 9, 4, 5, 6], [4, 9, 5]]
    assert evidence(made) == ["text", "rule", "text", "text", "text"]
    assert made.entries.scores[0, :3] == pytest.approx([0.9, 0.9, 0.74])
    assert made.acted.tolist() == [[0, 0], [1, 0]]


def test_a_pin_at_the_head_is_as_near_as_what_follows_it() -> None:
    made = applied("- {name: a, pin: i009, position: 1}", [[3, 4]])
    assert plain(made) == [[9, 3, 4]]
    assert made.entries.scores[0, :2] == pytest.approx([0.9, 0.9])


def test_a_pin_beyond_the_end_stands_at_the_end() -> None:
    assert plain(applied("- {name: a, pin: i009, position: 5}", [[3, 4]])) == [[3, 4, 9]]
    assert plain(applied("- {name: a, pin: i009, position: 99}", [[3, 4, 5, 6, 7]])) == [
        [3, 4, 5, 6, 9]
    ]


def test_an_item_is_not_pinned_to_its_own_list() -> None:
    made = applied("- {name: a, pin: i000, position: 1}", [[3, 4], [3, 4]])
    assert plain(made) == [[3, 4], [0, 3, 4]]
    assert made.acted.tolist() == [[1, 0]]


def test_the_first_of_two_pins_has_the_position() -> None:
    text = "- {name: a, pin: i009, position: 1}\n- {name: b, pin: i008, position: 1}"
    made = applied(text, [[3, 4, 5]])
    assert plain(made) == [[9, 8, 3, 4, 5]]
    assert made.displaced.tolist() == [[0, 1]]


def test_what_is_out_of_stock_is_not_pinned_where_the_recipe_asks_for_stock() -> None:
    items = goods(N, out_of_stock=(9,))
    text = "- {name: a, pin: i009, position: 1}"
    made = applied(text, [[3, 4]], items, rules=("in-stock",))
    assert plain(made) == [[3, 4]]
    assert made.barred.tolist() == [[0, 0]]
    assert plain(applied(text, [[3, 4]], items)) == [[9, 3, 4]]


def test_exclude_fills_up_with_best_sellers_of_the_category_then_of_the_shop() -> None:
    made = applied("- {name: a, exclude: [i003, i004]}", [[3, 4, 5]])
    assert plain(made) == [[5, 8, 1]]
    assert evidence(made) == ["text", "popular", "popular"]
    assert made.entries.scores[0, 1:3] == pytest.approx([1e-6, 1e-6])


def test_exclude_by_brand_category_and_pair() -> None:
    rows = [[3, 4, 5], [3, 4, 5]]
    by_brand = "- {name: a, exclude: {brand: Acme}, lists_of: {item: i001}}"
    assert plain(applied(by_brand, rows))[0] == [3, 4, 5]
    assert plain(applied(by_brand, rows))[1][:2] == [4, 5]
    by_path = "- {name: a, exclude: {category: Home}}"
    assert {row % 4 for row in plain(applied(by_path, rows))[0]} <= {2, 3}
    pair = "- {name: a, exclude: {pair: [i001, i004]}}"
    assert plain(applied(pair, rows)) == [[3, 4, 5], [3, 5, 9]]
    both = "- {name: a, exclude: {brand: Acme, category: Toys}}"
    assert plain(applied(both, [[6, 3, 2]]))[0][:2] == [3, 2]


def test_what_is_filled_in_obeys_the_recipe() -> None:
    items = goods(N, out_of_stock=(8, 1))
    made = applied("- {name: a, exclude: [i003, i004]}", [[3, 4, 5]], items, rules=("in-stock",))
    assert plain(made) == [[5, 2, 6]]


def test_boost_and_bury_move_and_keep_the_order_of_the_others() -> None:
    rows = [[3, 4, 5, 6, 7]]
    boosted = applied("- {name: a, boost: i006, by: 2}", rows)
    assert plain(boosted) == [[3, 6, 4, 5, 7]]
    assert boosted.entries.scores[0, :3] == pytest.approx([0.9, 0.84, 0.74])
    buried = applied("- {name: a, bury: i003, by: 2}", rows)
    assert plain(buried) == [[4, 5, 3, 6, 7]]
    assert buried.entries.scores[0, 2] == pytest.approx(0.45)
    assert evidence(buried) == ["text"] * 5
    both = "- {name: a, boost: {brand: Acme}, by: 4}\n- {name: b, bury: i003, by: 4}"
    assert plain(applied(both, rows)) == [[6, 3, 4, 5, 7]]


def test_what_is_buried_stays_before_what_only_fills_up() -> None:
    rows, scores = np.array([[3, 4, 5]], np.int32), np.array([[0.5, 1e-6, 1e-6]], np.float32)
    lists = Entries(rows, scores, np.zeros(rows.shape, dtype=np.uint8))
    text = "- {name: a, bury: i003, by: 1000}\n- {name: b, bury: [i003, i004], by: 1000}"
    made = run(application(text, goods(N)).merchandiser(placement(3)), lists)
    assert plain(made) == [[3, 4, 5]]


def test_replace() -> None:
    text = "- {name: a, replace: [i004, i006], with: i009}"
    made = applied(text, [[3, 4, 5], [3, 9, 4], [7, 6, 4]])
    assert plain(made)[0] == [3, 9, 5]
    assert evidence(made, 0) == ["text", "rule", "text"]
    assert made.entries.scores[0, 1] == pytest.approx(0.74)
    assert plain(made)[1][:2] == [3, 9]
    assert len(plain(made)[1]) == 3
    assert plain(made)[2][:2] == [7, 9]
    assert not {4, 6} & {row for rows in plain(made) for row in rows}


def test_what_is_replaced_leaves_although_the_substitute_may_not_stand() -> None:
    items = goods(N, out_of_stock=(9,))
    text = "- {name: a, replace: i004, with: i009}"
    made = applied(text, [[3, 4, 5]], items, rules=("in-stock",))
    assert plain(made) == [[3, 5, 8]]
    own = applied("- {name: a, replace: i004, with: i000}", [[3, 4, 5]])
    assert plain(own) == [[3, 5, 8]]


def test_an_exclusion_beats_pin_and_substitute() -> None:
    text = (
        "- {name: a, pin: i009, position: 1}\n- {name: b, replace: i004, with: i008}\n"
        "- {name: c, exclude: [i008, i009]}"
    )
    made = applied(text, [[3, 4, 5]])
    assert plain(made)[0][:2] == [3, 5]
    assert not {4, 8, 9} & set(plain(made)[0])
    assert made.barred.tolist() == [[0, 0]]


def test_a_pin_beats_a_replacement() -> None:
    text = "- {name: a, replace: i004, with: i008}\n- {name: b, pin: i004, position: 1}"
    assert plain(applied(text, [[3, 4, 5]]))[0] == [4, 3, 8, 5]


def test_best_sellers_lose_what_is_excluded_everywhere() -> None:
    text = "- {name: a, exclude: i001}\n- {name: b, exclude: i002, lists_of: i003}"
    merchandiser = application(text, goods(N)).merchandiser(placement(DEPTH))
    assert merchandiser.allowed(np.array([2, 1, 0], dtype=np.int32)).tolist() == [2, 0]


def test_rules_of_other_placements_do_nothing() -> None:
    made = applied("- {name: a, exclude: i003, placement: other}", [[3, 4]])
    assert plain(made) == [[3, 4]]
    assert not len(made.acted)


# Whatever the rules say


def _selections() -> st.SearchStrategy[str]:
    ids = st.lists(st.integers(0, N - 1), min_size=1, max_size=3, unique=True)
    items = ids.map(lambda rows: "{item: [" + ", ".join(f"i{row:03d}" for row in rows) + "]}")
    brands = st.sampled_from(BRANDS).map(lambda name: f"{{brand: {name}}}")
    paths = st.sampled_from(["Home", *CATEGORIES[:3]]).map(lambda name: f"{{category: {name}}}")
    return st.one_of(items, brands, paths)


@st.composite
def texts(draw: st.DrawFn, actions: tuple[str, ...]) -> str:
    """Rules of some actions."""
    lines = []
    for number in range(draw(st.integers(1, 5))):
        action, item = draw(st.sampled_from(actions)), draw(st.integers(0, N - 1))
        other = (item + draw(st.integers(1, N - 1))) % N
        what = draw(_selections())
        where = draw(st.one_of(st.just(""), _selections().map(lambda some: f", lists_of: {some}")))
        if action not in {"pin", "replace"} and draw(st.booleans()):
            what, where = f"{{pair: [i{item:03d}, i{other:03d}]}}", ""
        said = {
            "pin": f"i{item:03d}, position: {draw(st.integers(1, DEPTH + 2))}",
            "replace": f"i{item:03d}, with: i{other:03d}",
            "exclude": what,
            "boost": f"{what}, by: {draw(st.floats(1.01, 1000))}",
            "bury": f"{what}, by: {draw(st.floats(1.01, 1000))}",
        }
        lines.append(f"- {{name: r{number}, {action}: {said[action]}{where}}}")
    return "\n".join(lines)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]:
    """Lists of all items, a catalogue with some items out of stock, sales, and recipe rules."""
    out = draw(st.lists(st.integers(0, N - 1), max_size=3, unique=True))
    sold = np.array(draw(st.lists(st.integers(0, 3), min_size=N, max_size=N)), dtype=np.float32)
    rules = draw(st.sampled_from([(), ("in-stock",)]))
    allowed = [row for row in range(N) if not rules or row not in out]
    rows = []
    for owner in range(N):
        others = draw(st.permutations([row for row in allowed if row != owner]))
        rows.append(list(others[: draw(st.integers(0, DEPTH))]))
    return listed(rows, DEPTH), goods(N, tuple(out)), sold, rules


def banned(text: str, items: Catalogue, action: str) -> set[tuple[int, int]]:
    """Owners and items that the rules of an action mean."""
    pairs: set[tuple[int, int]] = set()
    for matched in application(text, items).matched:
        if matched.rule.action != action:
            continue
        owners = range(N) if matched.owners is None else matched.owners.tolist()
        pairs |= {(int(a), int(b)) for a, b in matched.pairs.tolist()}
        if not len(matched.pairs):
            pairs |= {(owner, item) for owner in owners for item in matched.targets.tolist()}
    return pairs


def results(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> tuple[list[list[int]], list[list[int]], MerchandisedBlock]:
    lists, items, sold, rules = scene
    merchandiser = application(text, items, sold).merchandiser(placement(DEPTH, *rules))
    made = run(merchandiser, lists)
    before = [[row for row in rows if row != NONE] for rows in lists.rows.tolist()]
    return before, plain(made), made


ALL = ("pin", "boost", "bury", "exclude", "replace")
SCENE = scenes()


@settings(SLOW, max_examples=60)
@given(text=texts(ALL), scene=SCENE)
def test_a_list_holds_no_own_item_nothing_twice_and_its_scores_fall(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    _, after, made = results(text, scene)
    for owner, rows in enumerate(after):
        assert owner not in rows
        assert len(set(rows)) == len(rows) <= DEPTH
        scores = made.entries.scores[owner, : len(rows)]
        assert ((scores > 0) & (scores <= 1)).all()
        assert (np.diff(scores) <= 0).all()
        assert made.entries.rows[owner, : len(rows)].tolist() == rows


@settings(SLOW, max_examples=60)
@given(text=texts(ALL), scene=SCENE)
def test_every_entry_was_there_or_is_brought_in_by_a_rule_or_a_best_seller(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    before, after, made = results(text, scene)
    _, items, sold, rules = scene
    excluded, pinned = banned(text, items, "exclude"), banned(text, items, "pin")
    replaced = banned(text, items, "replace")
    substitutes = {matched.substitute for matched in application(text, items).matched}
    for owner, rows in enumerate(after):
        for row, said in zip(rows, evidence(made, owner), strict=True):
            assert (owner, row) not in excluded
            assert items.in_stock[row] or not rules
            if said == "rule":
                assert (owner, row) in pinned or row in substitutes
            elif said == "popular":
                assert sold[row] > 0
                assert items.in_stock[row]
                assert (owner, row) not in replaced
            else:
                assert row in before[owner]


@settings(SLOW, max_examples=60)
@given(text=texts(ALL), scene=SCENE)
def test_lists_keep_their_length_where_the_catalogue_allows(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    before, after, _ = results(text, scene)
    _, items, sold, _ = scene
    away = banned(text, items, "exclude") | banned(text, items, "replace")
    for owner, rows in enumerate(after):
        spare = {
            row
            for row in range(N)
            if sold[row] and items.in_stock[row] and row != owner and (owner, row) not in away
        }
        assert len(rows) >= min(len(before[owner]), len({*rows} | spare))


@settings(SLOW, max_examples=60)
@given(text=texts(ALL), scene=SCENE)
def test_what_no_rule_moves_keeps_its_order(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    before, after, made = results(text, scene)
    items = scene[1]
    weighed = banned(text, items, "boost") | banned(text, items, "bury")
    for owner, rows in enumerate(after):
        said = evidence(made, owner)
        kept = [
            row
            for row, what in zip(rows, said, strict=True)
            if what == "text" and (owner, row) not in weighed
        ]
        assert kept == [row for row in before[owner] if row in kept]


@settings(SLOW, max_examples=40)
@given(text=texts(ALL), scene=SCENE)
def test_a_list_that_no_rule_touches_stays_as_it_is(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    before, after, made = results(text, scene)
    touched = set(made.acted[:, 0].tolist())
    for owner in set(range(N)) - touched:
        assert after[owner] == before[owner]
        assert (made.entries.scores[owner] == scene[0].scores[owner]).all()


@settings(SLOW, max_examples=40)
@given(text=texts(ALL), scene=SCENE, size=st.integers(1, N))
@example(
    text="- {name: r0, exclude: {brand: Acme}}",
    scene=(listed([[3, 4]] * 3 + [[]] * 9, DEPTH), goods(N), np.ones(N, dtype=np.float32), ()),
    size=5,
)
def test_shards_make_what_the_whole_makes(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]], size: int
) -> None:
    lists, items, sold, rules = scene
    merchandiser = application(text, items, sold).merchandiser(placement(DEPTH, *rules))
    whole = plain(run(merchandiser, lists))
    parts = []
    for start in range(0, N, size):
        part = slice(start, start + size)
        parts += plain(run(merchandiser, lists[part], start))
    assert parts == whole


@settings(SLOW, max_examples=40)
@given(text=texts(("pin",)), scene=SCENE)
def test_the_first_pin_of_a_list_stands_where_it_is_wanted(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    _, after, made = results(text, scene)
    displaced = {tuple(act) for act in made.displaced.tolist()}
    rules = application(text, scene[1]).rules.rules
    for owner, number in made.acted.tolist():
        if (owner, number) in displaced:
            continue
        rule, rows = rules[number], after[owner]
        place = rows.index(int(rule.what.items[0][1:])) + 1
        wanted = min(rule.position, DEPTH)
        unpinned = [what for what in evidence(made, owner) if what != "rule"]
        assert place == wanted or (place < wanted and len(unpinned) < wanted)


@settings(SLOW, max_examples=40)
@given(text=texts(("exclude", "boost", "bury", "replace")), scene=SCENE)
def test_whole_lists_are_lists_again(
    text: str, scene: tuple[Entries, Catalogue, np.ndarray, tuple[str, ...]]
) -> None:
    lists, items, sold, rules = scene
    lists.evidence[lists.found] = TEXT
    whole = RelatedLists.of_blocks("related", [lists], np.arange(3, dtype=np.int32))
    made = application(text, items, sold).applied(placement(DEPTH, *rules), whole)
    assert len(made.lists) == N
    assert made.lists.sizes.tolist() == [len(rows) for rows in results(text, scene)[1]]
