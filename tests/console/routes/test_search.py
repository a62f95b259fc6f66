"""The search page."""

from starlette.testclient import TestClient

SEARCH = "/console/acme/search"


def test_items_are_found_by_words_and_by_id(client: TestClient) -> None:
    for query, found in (("green chairs", "Garden chair, green"), ("a/b", "Slash in the id")):
        assert found in client.get(SEARCH, params={"q": query}).text


def test_a_query_is_shown_as_text_and_may_be_long(client: TestClient) -> None:
    answer = client.get(SEARCH, params={"q": '"><script>alert(1)</script>' + "x" * 500})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_without_a_query_nothing_is_searched(client: TestClient) -> None:
    assert "Type a few words" in client.get(SEARCH).text
