from recommender.readers.sources import CatalogueColumns, CatalogueSource
from tests.readers.shop_folder import Folder


def test_of_rows_with_one_id_the_first_known_value_of_each_field_counts(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,price\na,Old,\nb,Bee,2\na,Newer,3\n")
    folder.put("d.csv", "item_id,title,price\na,Newest,4\nA,Other,5\n")
    data = folder.read(CatalogueSource(("c.csv", "d.csv")))
    assert data.catalogue.ids.ids == ("A", "a", "b")
    assert data.catalogue.title == ("Other", "Old", "Bee")
    assert data.catalogue.price.tolist() == [5.0, 3.0, 2.0]
    assert data.report.duplicate_ids == 2


def test_the_last_values_may_count_instead(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,brand\na,Old,Acme\nb,Bee,\na,New,\n")
    data = folder.read(CatalogueSource("c.csv", repeated="last"))
    assert (data.catalogue.title, data.catalogue.brand) == (("New", "Bee"), ("Acme", ""))


def test_a_product_of_several_rows_keeps_what_only_its_first_row_says(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "Handle,Title,Vendor,Price,Status\nknife,Knife,Hearth,6,archived\nknife,,,7,\n"
        "wok,Wok,Hearth,9,active\nwok,,,8,\nwok,,,,\n",
    )
    columns = CatalogueColumns("Handle", title="Title", brand="Vendor", price="Price")
    data = folder.read(CatalogueSource("c.csv", columns=columns))
    assert data.catalogue.title == ("Knife", "Wok")
    assert data.catalogue.brand == ("Hearth", "Hearth")
    assert data.catalogue.price.tolist() == [6, 9]
    assert data.catalogue.in_stock.tolist() == [False, True]


def test_variants_inherit_from_the_first_row_of_their_group(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "sku,handle,title,category,status\nA-S,a,Ant,Insects,draft\nA-M,a,,,\nB-S,b,Bee,,\n",
    )
    columns = CatalogueColumns("sku", group="handle")
    data = folder.read(CatalogueSource("c.csv", columns=columns))
    assert data.catalogue.ids.ids == ("A-M", "A-S", "B-S")
    assert data.catalogue.title == ("Ant", "Ant", "Bee")
    assert data.catalogue.category == ("Insects", "Insects", "")
    assert data.catalogue.in_stock.tolist() == [False, False, True]
    assert data.report.not_for_sale == 2


def test_a_parent_belongs_to_the_group_of_its_variants(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "item_id,title,description,group,published\np,Knife,Sharp,,1\np-red,Knife - Red,,p,1\n"
        "q,Wok,,,1\nr,Draft,,,-1\nr-red,Draft - Red,,r,1\n",
    )
    data = folder.read("c.csv")
    assert data.catalogue.group == ("p", "p", "", "r", "r")
    assert len(set(data.catalogue.group_codes.tolist())) == 3
    assert data.catalogue.description[:2] == ("Sharp", "Sharp")
    assert data.catalogue.in_stock.tolist() == [True, True, True, False, False]


def test_a_product_may_name_its_variants_which_count_for_it_where_they_are_hidden(
    folder: Folder,
) -> None:
    folder.put(
        "c.csv",
        "sku,name,visibility,configurable_variations\nK-S,Knife S,Not Visible Individually,\n"
        'K-M,Knife M,Not Visible Individually,\nK,Knife,"Catalog, Search",'
        '"sku=K-S,size=S|sku=K-M,size=M"\nW,Wok,"Catalog, Search",\n',
    )
    folder.put("a.csv", "item_id,order_id\nK-S,1\nW,1\nK-M,2\n")
    columns = CatalogueColumns("sku", title="name")
    data = folder.read(CatalogueSource("c.csv", columns=columns), "a.csv")
    assert data.catalogue.ids.ids == ("K", "K-M", "K-S", "W")
    assert data.catalogue.group == ("K", "K", "K", "")
    assert data.catalogue.in_stock.tolist() == [True, False, False, True]
    assert data.interactions.item.tolist() == [0, 3, 0]
    assert data.report.of_variants == 2


def test_store_view_rows_do_not_replace_the_default_row(folder: Folder) -> None:
    folder.put(
        "c.csv",
        "item_id,store_view,title,description,price\na,,Ant,Small,1\na,de,Ameise,,\nb,,Bee,,2\n",
    )
    data = folder.read("c.csv")
    assert data.catalogue.title == ("Ant", "Bee")
    assert data.catalogue.price.tolist() == [1, 2]


def test_files_of_one_source_may_differ_in_their_optional_columns(folder: Folder) -> None:
    folder.put("c.csv", "item_id,title,brand\na,Ant,Acme\n")
    folder.put("d.jsonl", '{"title": "Bee", "item_id": "b", "price": 2}\n')
    catalogue = folder.read(CatalogueSource(("c.csv", "d.jsonl"))).catalogue
    assert catalogue.brand == ("Acme", "")
    assert catalogue.price[1] == 2
