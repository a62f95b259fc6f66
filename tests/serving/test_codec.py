import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.core import item_id
from recommender.core.generation import Generation
from recommender.core.ids import ItemIds
from recommender.core.lists import Entries, RelatedLists
from recommender.core.related import EVIDENCE, RelatedItem
from recommender.publishing.staging import Staging
from recommender.serving import codec
from recommender.serving.codec import LEVELS, Pointer, StoredList, View
from recommender.serving.keys import Keys
from tests.support.repository import REPOSITORY

ids = st.text(min_size=1, max_size=20).filter(lambda text: item_id.fault(text) is None)
scores = st.floats(0, 1, exclude_min=True, width=32)
entries = st.lists(st.tuples(ids, scores, st.integers(0, len(EVIDENCE) - 1)), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


views = st.builds(
    View,
    st.lists(st.integers(1, 2**53), min_size=1, max_size=2).map(tuple),
    st.lists(st.from_regex(r"[a-z0-9_-]{1,40}", fullmatch=True), max_size=3).map(tuple),
)


def encoded(item: str, drawn: list[tuple[str, float, int]]) -> bytes:
    others, values, codes = zip(*drawn, strict=True) if drawn else ((), (), ())
    return codec.encode_list(item, others, values, codes)


# Golden files: what stored lists of schema 1 look like, whatever becomes of this code.

GOLDEN = REPOSITORY / "tests" / "golden" / "schema1"
LISTS = {
    "list.txt": (
        "SKU 1:é",
        [
            RelatedItem("SKU-2", 1.0, "text"),
            RelatedItem("00123", 0.5, "behaviour"),
            RelatedItem("Tür {blau} 100%", 0.25, "both"),
            RelatedItem("a:b", 2 / 4096, "popular"),
            RelatedItem("1e5", 1 / 4096, "rule"),
        ],
    ),
    "empty.txt": ("SKU-2", []),
    "best_sellers.txt": (
        codec.BEST_SELLERS,
        [
            RelatedItem("SKU-2", 1.0, "popular"),
            RelatedItem("SKU 1:é", 0.5, "popular"),
            RelatedItem("00123", 1 / 4096, "popular"),
        ],
    ),
}


@pytest.mark.fault(46)
@pytest.mark.parametrize("name", LISTS)
def test_golden_lists(name: str) -> None:
    raw = (GOLDEN / name).read_bytes()
    item, items = LISTS[name]
    assert list(codec.decode_list(raw, item).items()) == items
    columns = [(entry.id, entry.score, EVIDENCE.index(entry.evidence)) for entry in items]
    assert encoded(item, columns) == raw


def test_the_golden_best_sellers_are_staged_alike() -> None:
    nothing = np.zeros(0, dtype=np.float32)
    lists = RelatedLists(
        "related",
        np.zeros(4, dtype=np.int64),
        Entries(nothing.astype(np.int32), nothing, nothing.astype(np.uint8)),
        np.array([0, 1, 2], dtype=np.int32),
    )
    staging = Staging.full(Keys("acme"), 1, ItemIds(("SKU-2", "SKU 1:é", "00123")), [lists])
    staged = staging.sample(1, seed=0)["rec:acme:1:related:"]
    assert staged == (GOLDEN / "best_sellers.txt").read_bytes()


@pytest.mark.fault(46)
def test_the_golden_pointer() -> None:
    raw = (GOLDEN / "pointer.json").read_bytes()
    pointer = Pointer(
        9, View((8, 7), ("related", "also-like")), View((9,), ("related",)), canary_share=0.1
    )
    assert codec.decode_pointer(raw) == pointer
    assert codec.encode_pointer(pointer) == raw


# Lists


def test_a_list_is_four_lines_of_text() -> None:
    raw = codec.encode_list("a", ["ü", "c"], [1.0, 0.123456], [0, 3])
    assert raw == "a\nü\tc\ntp\n__H5".encode()
    assert codec.decode_list(raw, "a") == StoredList("ü\tc", b"tp", b"__H5")
    assert codec.SCORE_OF["H5"] == pytest.approx(0.123456, abs=0.5 / LEVELS)


def test_an_empty_list_is_four_lines_too() -> None:
    raw = codec.encode_list("a", [], [], [])
    assert raw == b"a\n\n\n"
    assert codec.decode_list(raw, "a").items() == ()


@given(ids, entries)
def test_a_list_survives_the_round_trip(item: str, drawn: list[tuple[str, float, int]]) -> None:
    decoded = codec.decode_list(encoded(item, drawn), item).items()
    assert [(found.id, found.evidence) for found in decoded] == [
        (other, EVIDENCE[code]) for other, _, code in drawn
    ]
    for found, (_, score, _) in zip(decoded, drawn, strict=True):
        assert 0 < found.score <= 1
        assert abs(found.score - max(score, 1 / LEVELS)) <= 0.5 / LEVELS


@given(ids, entries)
def test_what_was_decoded_is_encoded_alike(item: str, drawn: list[tuple[str, float, int]]) -> None:
    raw = encoded(item, drawn)
    again = [
        (found.id, found.score, EVIDENCE.index(found.evidence))
        for found in codec.decode_list(raw, item).items()
    ]
    assert encoded(item, again) == raw


@given(ids, entries)
def test_rounding_keeps_the_order(item: str, drawn: list[tuple[str, float, int]]) -> None:
    drawn.sort(key=lambda entry: -entry[1])
    decoded = codec.decode_list(encoded(item, drawn), item).items()
    rounded = [found.score for found in decoded]
    assert rounded == sorted(rounded, reverse=True)


@given(ids, entries, st.integers(0, 20), st.data())
def test_the_first_are_those_that_are_not_dropped_and_score_enough(
    item: str, drawn: list[tuple[str, float, int]], n: int, data: st.DataObject
) -> None:
    drawn.sort(key=lambda entry: -entry[1])
    stored = codec.decode_list(encoded(item, drawn), item)
    everything = stored.items()
    dropped = set(data.draw(st.lists(st.sampled_from([entry[0] for entry in drawn] or ["x"]))))
    lowest = data.draw(st.sampled_from([0.0, 0.5, *(entry.score for entry in everything)]))
    assert stored.first(n, dropped, lowest).items() == tuple(
        [entry for entry in everything if entry.id not in dropped and entry.score >= lowest][:n]
    )


@given(ids, ids, entries)
def test_the_list_of_another_item_is_refused(
    item: str, other: str, drawn: list[tuple[str, float, int]]
) -> None:
    raw = encoded(other, drawn)
    if item == other:
        codec.decode_list(raw, item)
    else:
        with pytest.raises(ValueError, match="asked for"):
            codec.decode_list(raw, item)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "asked for"),
        (b"a", "1 lines instead of 4"),
        (b"a\nb\nt", "3 lines instead of 4"),
        (b"a\nb\nt\n__\n", "5 lines instead of 4"),
        (b"a\nb\nt\n_", "1 ids, 1 letters, b'_'"),
        (b"a\nb\ntt\n__", "1 ids, 2 letters"),
        (b"a\nb\tc\nt\n__", "2 ids, 1 letters"),
        (b"a\n\nt\n__", "0 ids, 1 letters"),
        (b"a\nb\nt\n____", "1 ids, 1 letters"),
        (b"a\n\xff\nt\n__", "utf-8"),
        ("a\nb\nt\n__", "not bytes but str"),
        ([b"a"], "not bytes but list"),
        (None, "not bytes but NoneType"),
    ],
)
def test_a_malformed_list_is_refused(raw: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        codec.decode_list(raw, "a")


@pytest.mark.parametrize("columns", [b"x\n__", b"t\n_.", b"T\n__", b"t\n\xc3\xbc"])
def test_a_malformed_entry_is_refused_before_anybody_looks_at_it(columns: bytes) -> None:
    letters, _, codes = columns.partition(b"\n")
    with pytest.raises(ValueError, match="malformed evidence"):
        codec.decode_list(b"a\nb\tc\nt" + letters + b"\n__" + codes, "a")


@given(ids, entries, st.integers(0, 25))
def test_the_leading_entries_are_the_first(
    item: str, drawn: list[tuple[str, float, int]], n: int
) -> None:
    stored = codec.decode_list(encoded(item, drawn), item)
    assert stored.leading(n).items() == stored.items()[:n]
    assert stored.leading(n).ids == [other for other, _, _ in drawn][:n]


@given(st.binary() | st.binary().map(lambda tail: b"a\n" + tail))
def test_any_bytes_are_refused_or_a_list(raw: bytes) -> None:
    try:
        stored = codec.decode_list(raw, "a")
    except ValueError:
        pass
    else:
        assert len(stored.codes) == 2 * len(stored.letters) == 2 * len(stored.ids)
    with pytest.raises(ValueError, match=r"."):
        codec.decode_pointer(raw)


@given(json_values)
def test_any_json_is_no_pointer(value: object) -> None:
    with pytest.raises(ValueError, match=r"pointer"):
        codec.decode_pointer(json.dumps(value).encode())


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, "text", 3, None, [b"x"]])
def test_what_is_not_flat_json_is_no_pointer(raw: object) -> None:
    with pytest.raises(ValueError, match=r"bytes|nested"):
        codec.decode_pointer(raw)


# Pointers


def test_a_pointer_is_plain_json() -> None:
    pointer = Pointer(9, View((8, 7), ("related",)), View((9,), ("related", "also")), 0.1)
    assert codec.encode_pointer(pointer) == (
        b'{"schema":1,"fence":9,"layers":[8,7],"placements":["related"],'
        b'"canary":{"layers":[9],"placements":["related","also"],"share":0.1}}'
    )
    assert pointer.generation == 7


shares = st.floats(0, 1, exclude_min=True)


@given(st.integers(1, 2**53), views, views, shares)
def test_a_pointer_survives_the_round_trip(
    fence: int, live: View, canary: View, share: float
) -> None:
    for pointer in (Pointer(fence, live), Pointer(fence, live, canary, share)):
        assert codec.decode_pointer(codec.encode_pointer(pointer)) == pointer


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"schema": 0}, "schema 0 is not supported"),
        ({"schema": 2}, "schema 2 is not supported"),
        ({"schema": "1"}, "is not supported"),
        ({"schema": None}, "is not supported"),
        ({"fence": 0}, "malformed"),
        ({"fence": 1.5}, "malformed"),
        ({"fence": None}, "malformed"),
        ({"layers": []}, "malformed"),
        ({"layers": [3, 2, 1]}, "malformed"),
        ({"layers": ["1"]}, "malformed"),
        ({"layers": [True]}, "malformed"),
        ({"layers": [-1]}, "malformed"),
        ({"layers": 1}, "malformed"),
        ({"placements": [1]}, "malformed"),
        ({"placements": "related"}, "malformed"),
        ({"canary": 9}, "malformed"),
        ({"canary": {"share": 0.1}}, "malformed"),
        ({"canary": {"layers": [9], "placements": []}}, "malformed"),
        ({"canary": {"layers": [9], "placements": [], "share": "0.1"}}, "malformed"),
        ({"canary": {"layers": [9], "placements": [], "share": 0}}, "malformed"),
        ({"canary": {"layers": [9], "placements": [], "share": 1.1}}, "malformed"),
        ({"canary": {"layers": [9], "placements": [], "share": float("nan")}}, "malformed"),
        ({"canary": {"layers": [], "placements": [], "share": 0.1}}, "malformed"),
    ],
)
def test_another_pointer_is_refused(fields: dict[str, object], reason: str) -> None:
    value = {"schema": 1, "fence": 1, "layers": [1], "placements": ["related"]}
    codec.decode_pointer(json.dumps(value).encode())
    with pytest.raises(ValueError, match=reason):
        codec.decode_pointer(json.dumps(value | fields).encode())


@pytest.mark.parametrize("text", ["[]", "null", "1", '{"schema":1}'])
def test_what_is_no_pointer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        codec.decode_pointer(text.encode())


def test_a_generation_survives_the_round_trip() -> None:
    generation = Generation(7, "complete", 1_700_000_000, "digest", "key", 3, 6, 18)
    fields = {
        name.encode(): str(value).encode()
        for name, value in codec.encode_generation(generation).items()
    }
    assert codec.decode_generation(7, fields) == generation
    del fields[b"n_lists"]
    with pytest.raises(ValueError, match="generation 7: no field 'n_lists'"):
        codec.decode_generation(7, fields)


ITEMS = [f"i{number}" for number in range(12)]


def stored(ids: list[str]) -> StoredList:
    scores = [1 - rank / 64 for rank in range(len(ids))]
    return codec.decode_list(codec.encode_list("x", ids, scores, [0] * len(ids)), "x")


@given(
    ids=st.lists(st.sampled_from(ITEMS), unique=True),
    n=st.integers(0, 15),
    hidden=st.frozensets(st.sampled_from(ITEMS)),
    excluded=st.frozensets(st.sampled_from(ITEMS)),
    lowest=st.sampled_from([-1.0, 0.0, 0.9, 0.95, 2.0]),
)
def test_shown_entries_are_the_first_that_may_be_shown(
    ids: list[str], n: int, hidden: frozenset[str], excluded: frozenset[str], lowest: float
) -> None:
    entries = stored(ids).shown(n, hidden, excluded, lowest).items()
    shown = [entry for entry in stored(ids).items() if entry.id not in hidden | excluded]
    assert entries == tuple([entry for entry in shown if entry.score >= lowest][:n])
    assert all(type(entry) is RelatedItem for entry in entries)


def test_some_entries_and_those_above_the_lowest_score() -> None:
    stored = StoredList("a\tb\tc", b"tbB", b"__AAAB")
    assert stored.at([2, 0]) == [stored.items()[2], stored.items()[0]]
    assert stored.items()[1].score == 1 / LEVELS
    for lowest, kept in ((1 / LEVELS, "abc"), (1.5 / LEVELS, "a"), (1e-9, "abc")):
        shown = stored.shown(3, frozenset(), frozenset(), lowest)
        assert "".join(shown.ids) == kept
