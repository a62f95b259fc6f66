import pytest

from recommender.errors import DataError
from tests.readers.shop_folder import Folder


def test_the_columns_that_would_join_are_named(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,sku,stock\n1,Ant,A-1,1\n2,Bee,B-1,1\n3,Cat,C-1,2\n")
    folder.put("a.csv", "item_id,order_id,variant,quantity\n91,1,A-1,1\n92,1,B-1,2\n93,1,X,1\n")
    with pytest.raises(DataError) as caught:
        folder.read("c.csv", "a.csv", joined_share_min=0.1)
    assert str(caught.value).endswith(
        "variant meets 67% of the catalogue's sku; set interactions.columns.item = 'variant' and "
        "catalogue.columns.item = 'sku'"
    )


def test_users_and_baskets_are_not_proposed(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title\n1,Ant\n2,Bee\n")
    folder.put("a.csv", "item_id,order_id,user_id\nx,1,1\ny,2,2\n")
    with pytest.raises(DataError, match=r"ids sold: 'x', 'y'; ids of the catalogue: '1', '2'"):
        folder.read("c.csv", "a.csv", joined_share_min=0.1)
