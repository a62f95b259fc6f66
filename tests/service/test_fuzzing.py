"""Requests that schemathesis makes from the OpenAPI document, to a service that runs."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from recommender.cli.serve import listening
from recommender.publishing.item_changes import Outcome
from recommender.service.app import create_app
from recommender.service.keys import new_key
from recommender.service.limits import LimitedProtocol
from tests.service.fakes import FakeLookup
from tests.serving.servers import until

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def checked_only(items: Sequence[object]) -> Outcome:
    return Outcome(applied=len(items))


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[str, str]]:
    """The URL of a service, and a key that may do everything."""
    key, kept = new_key("fuzzer", ["read", "operate", "merchandise"])
    config = uvicorn.Config(
        create_app({"acme": FakeLookup()}, [kept], updates={"acme": checked_only}),
        http=LimitedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    with listening("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started)
            yield url, key
        finally:
            server.should_exit = True
            thread.join(20)


def fuzz(service: tuple[str, str], examples: int) -> int:
    """Make this many requests of each operation, valid and not; how many were made."""
    url, key = service
    headers = {"x-api-key": key}
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", headers=headers)
    made = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        for mode in schemathesis.GenerationMode:

            @seed(20)
            @settings(
                max_examples=examples,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def asked(case: schemathesis.Case[Any]) -> None:
                nonlocal made
                case.path_parameters = {**(case.path_parameters or {})}
                if "shop" in case.path_parameters and made % 4:
                    case.path_parameters["shop"] = "acme"
                made += 1
                case.call_and_validate(headers=headers, checks=CHECKS, timeout=20)

            with suppress(Unsatisfiable):  # nothing is invalid where nothing is asked
                asked()
    return made


def test_no_request_breaks_what_openapi_promises(service: tuple[str, str]) -> None:
    assert fuzz(service, 4) > 20


@pytest.mark.long
def test_many_requests_break_nothing_that_openapi_promises(service: tuple[str, str]) -> None:
    assert fuzz(service, 500) > 2000
