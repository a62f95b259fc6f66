from hashlib import blake2b

import numpy as np
import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.interactions import HashedUsers, user_hash
from recommender.readers.sources import Cancelled, InteractionSource
from tests.readers.shop_folder import KEY, Folder, all_bytes

USERS = ["ivana.horvat@example.org", "4111111111111111", "Žofie Nováková"]


def test_numbers_go_by_first_appearance_and_hashes_with_them() -> None:
    users = HashedUsers(KEY)
    assert users.codes(["b", "a", "", "b"]).tolist() == [0, 1, -1, 0]
    assert users.codes(["c", "a"]).tolist() == [2, 1]
    assert users.hashes().dtype == np.uint64
    assert users.hashes().tolist() == [user_hash(raw, KEY) for raw in "bac"]


@pytest.mark.fault("S15")
def test_the_hash_is_keyed_and_has_64_bits() -> None:
    expected = blake2b(b"u", key=KEY, digest_size=8).digest()
    assert user_hash("u", KEY) == int.from_bytes(expected, "little")
    assert user_hash("u", KEY) != user_hash("u", KEY[::-1])
    assert user_hash("\udcff", KEY) != user_hash("u", KEY)


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 65])
def test_an_unfit_key_is_refused(key: bytes) -> None:
    with pytest.raises(ConfigError, match=rf"user key has {len(key)} bytes; give 16 to 64"):
        HashedUsers(key)


def test_users_keep_their_number_over_files_and_sources(folder: Folder) -> None:
    folder.put("a.csv", "item_id,user_id\na,u\na, v\n")
    folder.put("b.csv", "item_id,user_id\na,v\na,w\n")
    folder.put("c.csv", "item_id,user_id\na,w \na,u\n")
    sources = (InteractionSource(("a.csv", "b.csv")), InteractionSource("c.csv"))
    interactions = folder.read(interactions=sources).interactions
    assert interactions.user.tolist() == [0, 1, 1, 2, 2, 0]
    assert interactions.users.tolist() == [user_hash(raw, KEY) for raw in "uvw"]


def orders(users: list[str]) -> str:
    good = [f"a,{number},{user},1,x" for number, user in enumerate(users * 5)]
    bad = [f"a,1,{user},many,x" for user in users] + [f",1,{user},1,x" for user in users]
    malformed = [f"a,1,{user}" for user in users] + [f'"a"b,1,{user},1,x' for user in users]
    return "\n".join(["item_id,order_id,user_id,quantity,note", *good, *bad, *malformed])


@pytest.mark.parametrize("share", [1.0, 0.02])
def test_raw_user_ids_appear_nowhere(folder: Folder, share: float) -> None:
    folder.put("a.csv", orders(USERS))
    source = InteractionSource("a.csv", quantity_above=0)
    said = b""
    try:
        said = all_bytes(folder.read(interactions=source, refused_share_max=share))
    except DataError as error:
        said = str(error).encode()
    said += folder.quarantine.read_bytes()
    assert len(folder.refused()) == 4 * len(USERS)
    for user in USERS:
        for form in (user.encode(), ascii(user)[1:-1].encode()):
            assert form not in said


def test_raw_user_ids_appear_nowhere_for_json(folder: Folder) -> None:
    rows = [f'{{"item_id": "a", "user_id": "{user}", "quantity": 1}}\n' for user in USERS]
    rows += [f'{{"item_id": "a", "user_id": ["{user}"], "quantity": 1}}\n' for user in USERS]
    rows += [f'{{"item_id": "a", "user_id": "{user}\n' for user in USERS]
    folder.put("a.jsonl", "".join(rows))
    said = all_bytes(folder.read(interactions="a.jsonl")) + folder.quarantine.read_bytes()
    assert len(folder.refused()) == 2 * len(USERS)
    for user in USERS:
        assert user.encode() not in said
        assert ascii(user)[1:-1].encode() not in said


DAY = "2026-03-{:02d}"


def dated(*events: tuple[str, str, str]) -> str:
    return "\n".join(["item_id,user_id,time", *(",".join(event) for event in events)])


def test_events_older_than_the_retention_go_with_their_items_and_users(folder: Folder) -> None:
    events = [("a", "u", DAY.format(1)), ("b", "v", DAY.format(5)), ("c", "u", DAY.format(15))]
    folder.put("a.csv", dated(*events))
    data = folder.read(interactions="a.csv", retention_days=10)
    assert [*data.catalogue.ids] == ["b", "c"]
    assert data.interactions.item.tolist() == [0, 1]
    assert data.interactions.user.tolist() == [1, 0]
    assert data.interactions.users.tolist() == [user_hash(raw, KEY) for raw in "uv"]
    assert data.report.too_old == 1
    assert data.report.n_interactions == 2


def test_retention_keeps_the_items_of_a_catalogue_and_events_without_time(
    folder: Folder,
) -> None:
    folder.put("items.csv", "item_id,title\na,Lamp\nb,Bowl\n")
    folder.put("a.csv", dated(("a", "u", DAY.format(1)), ("b", "", DAY.format(20))))
    folder.put("b.csv", "item_id,user_id\na,w\n")
    data = folder.read(
        catalogue="items.csv",
        interactions=[InteractionSource("a.csv"), InteractionSource("b.csv")],
        retention_days=3,
    )
    assert [*data.catalogue.ids] == ["a", "b"]
    assert data.interactions.item.tolist() == [1, 0]
    assert data.interactions.user.tolist() == [-1, 0]
    assert data.interactions.users.tolist() == [user_hash("w", KEY)]


def test_no_retention_keeps_everything(folder: Folder) -> None:
    folder.put("a.csv", dated(("a", "u", "1999-01-01"), ("b", "v", DAY.format(5))))
    data = folder.read(interactions="a.csv")
    assert len(data.interactions) == 2
    assert data.report.too_old == 0


def test_two_sources_may_not_weigh_a_kind_differently(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\n1,1\n")
    sources = (
        InteractionSource("a.csv", weights={"purchase": 1.0}),
        InteractionSource("a.csv", weights={"purchase": 0.5}),
    )
    with pytest.raises(ConfigError, match=r"interactions\.1\.weights\.purchase: 0\.5 here, 1 in"):
        folder.read(interactions=sources)


def test_all_sources_together_may_not_know_more_kinds_than_a_byte_holds(folder: Folder) -> None:
    folder.put("a.csv", "item_id,order_id\n1,1\n")
    sources = tuple(
        InteractionSource("a.csv", kind=f"{n}.0", weights={f"{n}.{k}": 1.0 for k in range(100)})
        for n in range(2)
    )
    with pytest.raises(ConfigError, match="interactions: 200 kinds; 127 are allowed"):
        folder.read(interactions=sources)


def test_an_order_belongs_to_its_source(folder: Folder) -> None:
    rows = "item_id,order_id,session_id\na,1,1\nb,1,1\n"
    for name in ("a.csv", "b.csv", "c.csv"):
        folder.put(name, rows)
    sources = (InteractionSource(("a.csv", "b.csv")), InteractionSource("c.csv"))
    interactions = folder.read(interactions=sources).interactions
    assert interactions.basket.tolist() == [0, 0, 0, 0, 1, 1]
    assert interactions.session.tolist() == [0, 0, 0, 0, 1, 1]


def test_left_out_and_refused_rows_leave_no_number_behind(folder: Folder) -> None:
    rows = "x,C1,u1,\nb,2,u2,now\na,3,u3,2010-12-01\n"
    folder.put("a.csv", f"item_id,order_id,user_id,time\n{rows}")
    data = folder.read(
        interactions=InteractionSource("a.csv", cancelled=Cancelled("order_id", "C"))
    )
    assert data.interactions.basket.tolist() == [0]
    assert data.interactions.user.tolist() == [0]
    assert len(data.interactions.users) == 1
    assert data.catalogue.ids.ids == ("a",)


def test_kinds_have_the_weights_of_the_settings_in_the_order_of_their_names(
    folder: Folder,
) -> None:
    folder.put("a.csv", "item_id,order_id,kind\na,1,view\nb,1, purchase\nc,1,cart\nd,1,View\n")
    weights = {"view": 0.1, "purchase": 1.0, "cart": 0.0}
    data = folder.read(interactions=InteractionSource("a.csv", weights=weights))
    assert data.interactions.kinds == ("cart", "purchase", "view")
    assert data.interactions.weights == (0.0, 1.0, 0.1)
    assert data.interactions.kind.tolist() == [2, 1, 0]
    assert data.report.files[0].left_out == {"kind View has no weight": 1}
    assert data.report.cold_items == 1


def test_events_without_a_single_weight_are_no_shop(folder: Folder) -> None:
    rows = "item_id,session_id,kind\na,s1,view\nb,s1,view\nc,s1,click\n"
    message = r'view \(2\), click \(1\), and interactions.weights has purchase; set .*"view" = 1.0'
    with pytest.raises(DataError, match=message):
        folder.read(interactions=folder.put("events.csv", rows))
