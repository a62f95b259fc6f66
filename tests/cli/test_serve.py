"""The search of `recommender serve`."""

import asyncio
from contextlib import suppress
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
            try:
                async with asyncio.timeout(30):
                    while True:
                        with suppress(RequestRefused):
                            found = await search.find(SearchRequest(q="copper kettle", n=1))
                            return [str(item.id) for item in found.items]
                        await asyncio.sleep(0.01)
            finally:
                follower.cancel()
                search.close()

    assert asyncio.run(asked()) == ["d"]
