import pytest

from recommender.errors import ConfigError
from recommender.service.app import create_app


@pytest.mark.parametrize("key", ["", " S3CR3T", "S3CR3T\n", "S3CR3T-ü", "S3CR3T\x00"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="API keys") as refusal:
        create_app({}, frozenset({key}))
    assert "S3CR3T" not in str(refusal.value)
