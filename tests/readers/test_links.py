import pytest

from recommender.core.catalogue import Catalogue
from recommender.core.ids import ItemIds
from recommender.readers.links import MAX_LINK, currencies, links
from recommender.readers.sources import CatalogueColumns, CatalogueSource
from tests.readers.shop_folder import Folder


def read(folder: Folder, content: str, **columns: object) -> Catalogue:
    folder.put("c.csv", content)
    source = CatalogueSource("c.csv", columns=CatalogueColumns(**columns))  # type: ignore[arg-type]
    return folder.read(source).catalogue


class TestLinks:
    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ("https://a.example/1.jpg", "https://a.example/1.jpg"),
            ("https://a.example/x?w=1&copy=2&h=3", "https://a.example/x?w=1&copy=2&h=3"),
            ("https://a.example/1,2.jpg, https://a.example/3.jpg", "https://a.example/1,2.jpg"),
            ("https://a.example/1.jpg|https://a.example/3.jpg", "https://a.example/1.jpg"),
            ("https://a.example/1.jpg https://a.example/3.jpg", "https://a.example/1.jpg"),
            ("/m/u/mug.jpg,/m/u/back.jpg", "/m/u/mug.jpg"),
            ("pictures/red, large mug.jpg", "pictures/red, large mug.jpg"),
            ("a.jpg\nb.jpg", "a.jpg"),
            ('["s3://b/a.jpg", "s3://b/b.jpg"]', "s3://b/a.jpg"),
            ("[1].jpg", "[1].jpg"),
            ("a\x00b\x1b.jpg", "ab.jpg"),
            ("", ""),
        ],
    )
    def test_the_first_of_a_cell(self, text: str, first: str) -> None:
        assert links([text], "image") == ([first], [""])

    def test_one_that_is_too_long_is_unknown(self) -> None:
        assert links(["/" + "a" * MAX_LINK], "url") == (
            [""],
            ["url is longer than 2,000 characters"],
        )


class TestCurrencies:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("EUR", "EUR"),
            ("usd", "USD"),
            ("15.00 USD", "USD"),
            ("CHF12.50", "CHF"),
            ("9,99 \u20ac", "EUR"),
            ("\u00a315", "GBP"),
            ("15.00", ""),
            ("", ""),
        ],
    )
    def test_codes_and_signs(self, text: str, code: str) -> None:
        assert currencies([text], "currency") == ([code], [""])

    @pytest.mark.parametrize("text", ["US Dollar", "$", "\u00a5", "dollars"])
    def test_what_may_be_several_is_unknown(self, text: str) -> None:
        assert currencies([text], "currency") == (
            [""],
            ["currency is no ISO 4217 code such as EUR"],
        )


class TestCatalogue:
    def test_columns_of_their_names_are_read(self, folder: Folder) -> None:
        items = read(
            folder,
            "item_id,title,url,image,currency\na,Ant,https://x.example/?a=1&lt=2,a.jpg,eur\n"
            "b,Bee,,,money\n",
        )
        assert items.url == ("https://x.example/?a=1&lt=2", "")
        assert items.image == ("a.jpg", "")
        assert items.currency == ("EUR", "")
        assert Catalogue.from_columns(items.columns()).image == items.image

    def test_other_columns_are_mapped_and_the_first_value_counts(self, folder: Folder) -> None:
        items = read(
            folder,
            "item_id,title,link,own,main,price\n"
            "a,Ant,/a,,m.jpg,5 USD\nb,Bee,/b,o.jpg,m.jpg,7 EUR\n",
            url="link",
            image=("own", "main"),
            currency="price",
        )
        assert items.url == ("/a", "/b")
        assert items.image == ("m.jpg", "o.jpg")
        assert items.currency == ("USD", "EUR")
        assert items.price.tolist() == [5, 7]

    def test_an_attribute_of_the_same_name_stays_one(self, folder: Folder) -> None:
        items = read(folder, "item_id,title,image\na,Ant,a.jpg\n", attributes=("image",))
        assert items.attributes == {"image": ("a.jpg",)}
        assert items.image == ("a.jpg",)

    def test_a_column_may_be_left_unread(self, folder: Folder) -> None:
        assert read(folder, "item_id,title,image\na,Ant,a.jpg\n", image="").image == ("",)

    def test_two_columns_of_that_name_are_not_read_unasked(self, folder: Folder) -> None:
        assert read(folder, "item_id,title,image,image\na,Ant,a,b\n").image == ("",)

    def test_variants_inherit_what_they_lack(self, folder: Folder) -> None:
        items = read(
            folder,
            "item_id,title,group,url,image,currency\np,Mug,,/p,p.jpg,EUR\n"
            "p-1,,p,,,\np-2,,p,/p2,p2.jpg,\n",
        )
        rows = items.ids.rows(ItemIds(("p-1", "p-2")))
        assert [items.url[row] for row in rows] == ["/p", "/p2"]
        assert [items.image[row] for row in rows] == ["p.jpg", "p2.jpg"]
        assert [items.currency[row] for row in rows] == ["EUR", "EUR"]

    def test_a_currency_that_is_none_is_noted(self, folder: Folder) -> None:
        folder.put("c.csv", "item_id,title,currency\na,Ant,money\nb,Bee,EUR\n")
        report = folder.read(CatalogueSource("c.csv")).report.files[0]
        assert report.noted == {"currency is no ISO 4217 code such as EUR: unknown": 1}
