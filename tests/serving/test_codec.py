import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender import item_id
from recommender.generation import Generation
from recommender.related import EVIDENCE
from recommender.serving import codec
from recommender.serving.codec import Pointer

ids = st.text(min_size=1, max_size=20).filter(lambda text: item_id.fault(text) is None)
scores = st.floats(0, 1, exclude_min=True, width=32)
entries = st.lists(st.tuples(ids, scores, st.integers(0, len(EVIDENCE) - 1)), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def encoded(item: str, drawn: list[tuple[str, float, int]]) -> bytes:
    others, values, codes = zip(*drawn, strict=True) if drawn else ((), (), ())
    return codec.encode_list(item, others, values, codes)


def test_a_list_is_plain_json() -> None:
    raw = codec.encode_list("a", ["ü", "c"], [1.0, 0.123456], [0, 3])
    assert raw == '{"id":"a","items":[["ü",1.0,"text"],["c",0.1235,"popular"]]}'.encode()


def test_a_pointer_is_plain_json() -> None:
    assert codec.encode_pointer(Pointer(9, 7)) == b'{"schema":0,"fence":9,"layers":[7]}'


@given(ids, entries)
def test_a_list_survives_the_round_trip(item: str, drawn: list[tuple[str, float, int]]) -> None:
    decoded = codec.decode_list(encoded(item, drawn), item)
    assert [(found.id, found.evidence) for found in decoded] == [
        (other, EVIDENCE[code]) for other, _, code in drawn
    ]
    for found, (_, score, _) in zip(decoded, drawn, strict=True):
        assert 0 < found.score <= 1
        assert found.score == pytest.approx(score, rel=5.1e-4)


@given(ids, entries)
def test_rounding_keeps_the_order(item: str, drawn: list[tuple[str, float, int]]) -> None:
    drawn.sort(key=lambda entry: -entry[1])
    rounded = [found.score for found in codec.decode_list(encoded(item, drawn), item)]
    assert rounded == sorted(rounded, reverse=True)


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
    "entry",
    [
        ["b", 0.5],
        ["b", 0.5, "text", 1],
        ["b", 0, "text"],
        ["b", 1.01, "text"],
        ["b", -0.5, "text"],
        ["b", float("nan"), "text"],
        ["b", float("inf"), "text"],
        ["b", 10**400, "text"],
        ["b", "0.5", "text"],
        ["b", None, "text"],
        ["b", 0.5, "guess"],
        ["b", 0.5, None],
        ["", 0.5, "text"],
        ["b\n", 0.5, "text"],
        ["\ud800", 0.5, "text"],
        [1, 0.5, "text"],
        "b",
        None,
    ],
)
def test_a_malformed_entry_is_refused(entry: object) -> None:
    raw = json.dumps({"id": "a", "items": [["c", 0.5, "text"], entry]}).encode()
    with pytest.raises(ValueError, match="malformed entry"):
        codec.decode_list(raw, "a")


unclosed = st.binary().map(lambda tail: b'{"id":"a","items":[' + tail.replace(b"}", b""))


@given(st.binary() | unclosed)
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        codec.decode_list(raw, "a")
    with pytest.raises(ValueError, match=r"."):
        codec.decode_pointer(raw)


@given(json_values)
def test_any_json_in_place_of_entries_is_refused(value: object) -> None:
    raw = json.dumps({"id": "a", "items": value}).encode()
    if value == []:
        assert codec.decode_list(raw, "a") == ()
    else:
        with pytest.raises(ValueError, match="related list"):
            codec.decode_list(raw, "a")


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"a":' * 100_000, "text", 3, None, [b"x"]])
def test_what_is_not_flat_json_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match=r"bytes|nested"):
        codec.decode_list(raw, "a")
    with pytest.raises(ValueError, match=r"bytes|nested"):
        codec.decode_pointer(raw)


@given(st.integers(1, 2**53), st.integers(1, 2**53))
def test_a_pointer_survives_the_round_trip(fence: int, generation: int) -> None:
    pointer = Pointer(fence, generation)
    assert codec.decode_pointer(codec.encode_pointer(pointer)) == pointer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"schema":1,"fence":1,"layers":[1]}', "schema 1 is not supported"),
        ('{"schema":"0","fence":1,"layers":[1]}', "is not supported"),
        ('{"fence":1,"layers":[1]}', "malformed"),
        ('{"schema":0,"layers":[1]}', "malformed"),
        ('{"schema":0,"fence":1,"layers":[]}', "malformed"),
        ('{"schema":0,"fence":1,"layers":[2,1]}', "malformed"),
        ('{"schema":0,"fence":1,"layers":["1"]}', "malformed"),
        ('{"schema":0,"fence":0,"layers":[1]}', "malformed"),
        ('{"schema":0,"fence":1,"layers":[-1]}', "malformed"),
        ('{"schema":0,"fence":1.5,"layers":[1]}', "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
    ],
)
def test_another_pointer_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
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
