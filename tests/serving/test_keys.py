from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from recommender.core import item_id
from recommender.errors import ConfigError
from recommender.serving.keys import Keys, check_placement, check_shop

names = st.from_regex(r"[a-z0-9_-]{1,40}", fullmatch=True)
ids = st.text(min_size=1, max_size=40).filter(lambda text: item_id.fault(text) is None)
braced = st.text(alphabet="{}%7BDab", min_size=1, max_size=12)


def test_the_keys_are_those_of_the_contract() -> None:
    keys = Keys("acme")
    assert keys.live == "rec:{acme}:live"
    assert keys.previous == "rec:{acme}:previous"
    assert keys.seq == "rec:{acme}:seq"
    assert keys.lease == "rec:{acme}:lease"
    assert keys.generations == "rec:{acme}:generations"
    assert keys.generation(7) == "rec:{acme}:generation:7"
    assert keys.overlay(7) == "rec:{acme}:generation:7:names"
    assert keys.hidden == "rec:{acme}:hidden"
    assert keys.hidden_version == "rec:{acme}:hidden:version"
    assert keys.hidden_floor == "rec:{acme}:hidden:floor"
    assert keys.related_list(7, "related", "SKU 1:a") == "rec:acme:7:related:SKU 1:a"
    assert keys.related_list(7, "related", "{x}%7B") == "rec:acme:7:related:%7Bx%7D%257B"
    assert keys.related_list(7, "related", "") == "rec:acme:7:related:"
    assert keys.prefix(7) == "rec:acme:7:"
    assert keys.related_lists(7) == "rec:acme:7:*"


@pytest.mark.parametrize("name", ["", "Acme", "a" * 41, "a b", "a\n", "{a}", "ä", "a:b", "*"])
def test_other_names_are_refused(name: str) -> None:
    for check in (check_shop, check_placement, Keys):
        with pytest.raises(ConfigError):
            check(name)


@given(names)
def test_good_names_pass(name: str) -> None:
    check_shop(name)
    check_placement(name)


@given(names, st.integers(1, 10**9))
def test_control_keys_of_a_shop_share_a_slot(shop: str, number: int) -> None:
    keys = Keys(shop)
    control = (
        keys.live,
        keys.previous,
        keys.seq,
        keys.lease,
        keys.generations,
        keys.generation(number),
        keys.overlay(number),
        keys.hidden,
        keys.hidden_version,
        keys.hidden_floor,
    )
    assert {key_slot(key.encode()) for key in control} == {key_slot(f"{{{shop}}}".encode())}


@pytest.mark.fault("S2")
@given(names, names, ids | braced)
def test_an_item_id_cannot_choose_its_slot(shop: str, placement: str, item: str) -> None:
    key = Keys(shop).related_list(3, placement, item).encode()
    assert key_slot(key) == crc_hqx(key, 0) % 16384


@given(names, ids | braced, ids | braced)
def test_two_ids_have_two_keys(shop: str, one: str, other: str) -> None:
    keys = Keys(shop)
    same = keys.related_list(1, "related", one) == keys.related_list(1, "related", other)
    assert same == (one == other)


@pytest.mark.fault("S2")
@given(names, names, st.integers(1, 10**9), ids | braced)
def test_list_keys_stay_under_the_prefix_of_their_generation(
    shop: str, placement: str, number: int, item: str
) -> None:
    key = Keys(shop).related_list(number, placement, item)
    assert key.startswith(f"rec:{shop}:{number}:{placement}:")
    assert key.startswith(Keys(shop).related_lists(number).removesuffix("*"))
