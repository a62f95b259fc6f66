"""The address of a text API."""

import pytest

from recommender.core.api_budget import TextApi
from recommender.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    ["ftp://h/v1", "file:///etc/passwd", "h/v1", "http://u:p@h/v1", "http://h/v1?k=v", "http://"],
)
def test_urls_that_no_api_has(url: str) -> None:
    with pytest.raises(ConfigError, match=r"text_api\.url") as caught:
        TextApi(url=url)
    assert "u:p" not in str(caught.value)
