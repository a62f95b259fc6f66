from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from recommender.service.app import create_app
from tests.service.fakes import FakeLookup


@pytest.fixture
def lookup() -> FakeLookup:
    return FakeLookup()


@pytest.fixture
def client(lookup: FakeLookup) -> Iterator[TestClient]:
    with TestClient(create_app({"acme": lookup})) as client:
        yield client
