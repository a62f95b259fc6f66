import pytest
from pydantic import ValidationError

from recommender.settings.table import Table


class Example(Table):
    name: str = ""


def test_a_table_is_frozen_and_refuses_unknown_names() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example().name = "x"
    with pytest.raises(ValidationError, match="Extra inputs") as refused:
        Example.model_validate({"nam": "S3CR3T"})
    assert "S3CR3T" not in str(refused.value)
