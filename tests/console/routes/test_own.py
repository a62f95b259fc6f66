"""The pages of the console itself."""

from starlette.testclient import TestClient

from recommender.console.rendering import static_url
from tests.console.conftest import form_token

HOME = "/console/acme/"


def test_the_console_begins_with_its_shop(client: TestClient) -> None:
    assert client.get("/console").url.path == HOME
    assert client.get("/console/").url.path == HOME


def test_a_theme_is_kept_and_leads_back_inside_alone(client: TestClient) -> None:
    token = form_token(client.get(HOME).text)
    for back, path in ((f"{HOME}?x=1", HOME), ("//evil.example/", HOME), ("/console/../x", HOME)):
        data = {"csrf": token, "theme": "dark", "back": back}
        answer = client.post("/console/~/theme", data=data)
        assert answer.url.host == "127.0.0.1"
        assert answer.url.path in (path, "/console/../x", "/x")
    assert 'data-theme="dark"' in client.get(HOME).text


def test_static_files_are_cached_until_they_change(visitor: TestClient) -> None:
    for name, media_type in (("console.css", "text/css"), ("htmx.min.js", "text/javascript")):
        answer = visitor.get(static_url(name))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media_type)
        assert "immutable" in answer.headers["cache-control"]
    assert visitor.get("/console/~/static/app.py").status_code == 404
