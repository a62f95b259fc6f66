from recommender.serving.field_columns import FieldColumns


def test_a_column_has_none_where_an_item_lacks_the_field_and_is_made_once() -> None:
    columns = FieldColumns([{"price": 1}, {}])
    assert len(columns) == 2
    assert columns.column("price") == [1, None]
    assert columns.column("price") is columns.column("price")
    assert columns.column("brand") == [None, None]
