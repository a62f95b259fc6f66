"""The Host header on loopback, and the headers of every answer."""

from starlette.testclient import TestClient


def test_another_host_is_refused(client: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:8090", "", "localhost@evil"):
        answer = client.get("/console/acme/", headers={"host": host})
        assert answer.status_code == 421
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_names_of_this_machine_are_answered(client: TestClient) -> None:
    for host, status in (("127.0.0.1", 200), ("127.0.0.1:99", 200), ("LOCALHOST:1", 421)):
        assert client.get("/console/acme/", headers={"host": host}).status_code == status
