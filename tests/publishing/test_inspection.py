"""The facts that a real server reports about itself."""

import pytest
from redis import Redis

from recommender.publishing.inspection import inspect


@pytest.mark.server
def test_facts_of_a_real_server(store: Redis) -> None:
    facts = inspect(store)
    assert facts.version >= (7,)
    assert facts.policy == "noeviction"
    assert facts.open_to_all is True
    assert facts.addresses == ()
    assert facts.in_cluster is False
