"""RabbitMQ as the broker: a run, and a run whose worker is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.rabbit import rabbit
from tests.workers.shop import Shop, fleet_shop
from tests.workers.test_fleet import begin

pytestmark = [pytest.mark.server, pytest.mark.long]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with rabbit(tmp_path / "rabbit") as url, fleet_shop(tmp_path / "fleet") as shop:
        text = shop.config.read_text()
        shop.config.write_text(text.replace(f'url = "{shop.broker.url}"', f'url = "{url}"'))
        yield shop


def test_a_run_and_one_whose_worker_is_killed(shop: Shop) -> None:
    with shop.workers("first"):
        begin(shop)
        shop.ends(1)
    assert set(shop.made().values()) == {1}
    shop.config.write_text(shop.config.read_text().replace("dimensions = 64", "dimensions = 32"))
    before = shop.encoded()
    with shop.workers("killed") as worker:
        number = begin(shop)
        worker.said("event=made step=encode.text", timeout_s=60)
        worker.kill()
    with shop.workers("third"):
        shop.ends(number, timeout_s=120)
    assert set((shop.encoded() - before).values()) == {1}
