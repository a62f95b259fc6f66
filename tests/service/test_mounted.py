"""Another app beside the API, and the peer behind headers of a proxy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.requests import Request
from starlette.testclient import TestClient

from recommender.service.mounted import PEER, KeptPeer, Mounted


def app(name: str, told: list[str]) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        told.append(f"{name} begins")
        yield
        told.append(f"{name} ends")

    made = FastAPI(lifespan=lifespan)

    @made.get("/{path:path}")
    def answer(request: Request) -> dict[str, object]:
        client = request.client.host if request.client else ""
        return {"app": name, "peer": request.scope.get(PEER), "client": client}

    return made


def test_paths_below_the_prefix_are_the_others_and_both_begin_and_end() -> None:
    told: list[str] = []
    both = Mounted(app("api", told), app("console", told), "/console")
    with TestClient(both) as client:
        for path, name in (
            ("/console", "console"),
            ("/console/x", "console"),
            ("/consoles", "api"),
            ("/", "api"),
        ):
            assert client.get(path).json()["app"] == name
    assert told == ["console begins", "api begins", "api ends", "console ends"]


def test_the_peer_is_kept_where_a_proxy_names_its_client() -> None:
    for peer, client in (("127.0.0.1", "10.9.8.7"), ("10.0.0.2", "10.0.0.2")):
        browser = TestClient(KeptPeer(app("api", [])), client=(peer, 5000))
        answer = browser.get("/", headers={"x-forwarded-for": "10.9.8.7"}).json()
        assert (answer["peer"], answer["client"]) == (peer, client)
