from hashlib import blake2b

import numpy as np
import pytest

from recommender.errors import ConfigError, DataError
from recommender.readers.sources import Cancelled, InteractionColumns, InteractionSource
from recommender.readers.users import Users, user_hash
from tests.readers.shop_folder import KEY, Desk, all_bytes

USERS = ["ivana.horvat@example.org", "4111111111111111", "Žofie Nováková"]


def test_numbers_go_by_first_appearance_and_hashes_with_them() -> None:
    users = Users(KEY)
    assert users.numbers(["b", "a", "", "b"]).tolist() == [0, 1, -1, 0]
    assert users.numbers(["c", "a"]).tolist() == [2, 1]
    assert users.hashes().dtype == np.uint64
    assert users.hashes().tolist() == [user_hash(raw, KEY) for raw in "bac"]


def test_the_hash_is_keyed_and_has_64_bits() -> None:
    expected = blake2b(b"u", key=KEY, digest_size=8).digest()
    assert user_hash("u", KEY) == int.from_bytes(expected, "little")
    assert user_hash("u", KEY) != user_hash("u", KEY[::-1])
    assert user_hash("\udcff", KEY) != user_hash("u", KEY)


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 65])
def test_an_unfit_key_is_refused(key: bytes) -> None:
    with pytest.raises(ConfigError, match=rf"user key has {len(key)} bytes; give 16 to 64"):
        Users(key)


def test_users_keep_their_number_over_files_and_sources(desk: Desk) -> None:
    desk.put("a.csv", "item_id,user_id\na,u\na, v\n")
    desk.put("b.csv", "item_id,user_id\na,v\na,w\n")
    desk.put("c.csv", "item_id,user_id\na,w \na,u\n")
    sources = (InteractionSource(("a.csv", "b.csv")), InteractionSource("c.csv"))
    interactions = desk.read(interactions=sources).interactions
    assert interactions.user.tolist() == [0, 1, 1, 2, 2, 0]
    assert interactions.users.tolist() == [user_hash(raw, KEY) for raw in "uvw"]


def orders(users: list[str]) -> str:
    good = [f"a,{number},{user},1,x" for number, user in enumerate(users * 5)]
    bad = [f"a,1,{user},many,x" for user in users] + [f",1,{user},1,x" for user in users]
    malformed = [f"a,1,{user}" for user in users] + [f'"a"b,1,{user},1,x' for user in users]
    return "\n".join(["item_id,order_id,user_id,quantity,note", *good, *bad, *malformed])


@pytest.mark.parametrize("share", [1.0, 0.02])
def test_raw_user_ids_appear_nowhere(desk: Desk, share: float) -> None:
    desk.put("a.csv", orders(USERS))
    source = InteractionSource("a.csv", quantity_above=0)
    said = b""
    try:
        said = all_bytes(desk.read(interactions=source, refused_share_max=share))
    except DataError as error:
        said = str(error).encode()
    said += desk.quarantine.read_bytes()
    assert len(desk.refused()) == 4 * len(USERS)
    for user in USERS:
        for form in (user.encode(), ascii(user)[1:-1].encode()):
            assert form not in said


def test_raw_user_ids_appear_nowhere_for_json(desk: Desk) -> None:
    rows = [f'{{"item_id": "a", "user_id": "{user}", "quantity": 1}}\n' for user in USERS]
    rows += [f'{{"item_id": "a", "user_id": ["{user}"], "quantity": 1}}\n' for user in USERS]
    rows += [f'{{"item_id": "a", "user_id": "{user}\n' for user in USERS]
    desk.put("a.jsonl", "".join(rows))
    said = all_bytes(desk.read(interactions="a.jsonl")) + desk.quarantine.read_bytes()
    assert len(desk.refused()) == 2 * len(USERS)
    for user in USERS:
        assert user.encode() not in said
        assert ascii(user)[1:-1].encode() not in said


@pytest.mark.parametrize(
    "source",
    [
        InteractionSource("a.csv", columns=InteractionColumns(item="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(kind="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(time="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(title="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(quantity="user_id")),
        InteractionSource("a.csv", columns=InteractionColumns(price="user_id")),
        InteractionSource("a.csv", cancelled=Cancelled("user_id", "bot")),
    ],
)
def test_the_user_column_is_not_read_as_anything_that_reports_show(
    desk: Desk, source: InteractionSource
) -> None:
    desk.put("a.csv", "item_id,user_id\na,u\n")
    with pytest.raises(ConfigError, match="column 'user_id' is read as the user and as something"):
        desk.read(interactions=source)


def test_the_user_may_be_the_basket_or_the_session(desk: Desk) -> None:
    desk.put("a.csv", "item_id,user_id\na,u\nb,u\n")
    columns = InteractionColumns(basket="user_id", session="user_id")
    interactions = desk.read(interactions=InteractionSource("a.csv", columns=columns)).interactions
    assert interactions.basket.tolist() == interactions.session.tolist() == [0, 0]


def test_rows_of_forgotten_users_are_left_out_and_counted(desk: Desk) -> None:
    desk.put(
        "a.csv", "item_id,order_id,user_id,title\na,1,u,Ada's lamp\nb,1,v,Lamp\nb,2,u,\n,3,u,\n"
    )
    data = desk.read(interactions="a.csv", forgotten=["u"])
    assert data.interactions.item.tolist() == [0]
    assert data.interactions.users.tolist() == [user_hash("v", KEY)]
    assert data.catalogue.title == ("Lamp",)
    assert data.report.files[0].left_out == {"user is forgotten": 3}
    assert not desk.refused()


DAY = "2026-03-{:02d}"


def dated(*events: tuple[str, str, str]) -> str:
    return "\n".join(["item_id,user_id,time", *(",".join(event) for event in events)])


def test_events_older_than_the_retention_go_with_their_items_and_users(desk: Desk) -> None:
    events = [("a", "u", DAY.format(1)), ("b", "v", DAY.format(5)), ("c", "u", DAY.format(15))]
    desk.put("a.csv", dated(*events))
    data = desk.read(interactions="a.csv", retention_days=10)
    assert [*data.catalogue.ids] == ["b", "c"]
    assert data.interactions.item.tolist() == [0, 1]
    assert data.interactions.user.tolist() == [1, 0]
    assert data.interactions.users.tolist() == [user_hash(raw, KEY) for raw in "uv"]
    assert data.report.too_old == 1
    assert data.report.n_interactions == 2


def test_retention_keeps_the_items_of_a_catalogue_and_events_without_time(desk: Desk) -> None:
    desk.put("items.csv", "item_id,title\na,Lamp\nb,Bowl\n")
    desk.put("a.csv", dated(("a", "u", DAY.format(1)), ("b", "", DAY.format(20))))
    desk.put("b.csv", "item_id,user_id\na,w\n")
    data = desk.read(
        catalogue="items.csv",
        interactions=[InteractionSource("a.csv"), InteractionSource("b.csv")],
        retention_days=3,
    )
    assert [*data.catalogue.ids] == ["a", "b"]
    assert data.interactions.item.tolist() == [1, 0]
    assert data.interactions.user.tolist() == [-1, 0]
    assert data.interactions.users.tolist() == [user_hash("w", KEY)]


def test_no_retention_keeps_everything(desk: Desk) -> None:
    desk.put("a.csv", dated(("a", "u", "1999-01-01"), ("b", "v", DAY.format(5))))
    data = desk.read(interactions="a.csv")
    assert len(data.interactions) == 2
    assert data.report.too_old == 0
