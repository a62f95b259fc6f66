"""The search of `recommender serve`."""

import asyncio
import time
from pathlib import Path

import pytest

from recommender.cli.main import run
from recommender.cli.serve import live_search
from recommender.cli.session import connection
from recommender.service.models import RequestRefused, SearchRequest
from recommender.settings.loading import load
from tests.support.shop_files import orders, write_shop


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of which one generation is live."""
    path = write_shop(
        tmp_path_factory.mktemp("shop"),
        orders(*[("c", "d")] * 2),
        catalogue="item_id,title\nc,Steel kettle\nd,Copper kettle\n",
    )
    assert run(["reindex", "--config", str(path)]) == 0
    return path


def test_the_service_follows_what_is_live(config: Path) -> None:
    settings = load(config)

    async def asked() -> list[str]:
        with connection(settings) as store:
            search = live_search(settings, store)
            follower = asyncio.create_task(search.run())
            ends = time.monotonic() + 30
            try:
                while True:
                    try:
                        found = await search.find(SearchRequest(q="copper kettle", n=1))
                    except RequestRefused:
                        assert time.monotonic() < ends
                        await asyncio.sleep(0.01)
                    else:
                        return [str(item.id) for item in found.items]
            finally:
                follower.cancel()
                search.close()

    assert asyncio.run(asked()) == ["d"]
