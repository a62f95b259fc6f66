"""The transport that workers speak to Redis through, where its broker dies."""

from pathlib import Path

import pytest

from tests.workers.fleet import server
from tests.workers.test_app import celery_app


@pytest.mark.server
@pytest.mark.fault(8)
def test_a_message_of_a_closed_connection_is_a_lost_connection(tmp_path: Path) -> None:
    with (
        server(tmp_path) as broker,
        celery_app(f"{broker.url}/0").connection_for_write() as connection,
    ):
        queue = connection.SimpleQueue("jobs")
        queue.put({"shop": "acme"})
        message = queue.get(timeout=5)
        broker.kill()
        connection.transport.client = None  # as a close leaves it that was begun before
        message.channel._disconnect_pools()
        with pytest.raises(connection.connection_errors):
            message.ack()
        connection.maybe_close_channel(message.channel)
        assert message.channel.closed
