"""A worker, its broker and a storefront, each with its own user of config/redis-acl.conf."""

import tempfile
from pathlib import Path

import pytest

from recommender.serving.lookup import RelatedItems
from tests.topologies.nodes import ACL, PASSWORD, free_port, node
from tests.topologies.test_users import with_passwords
from tests.workers import fleet

pytestmark = pytest.mark.server


def test_a_job_is_taken_and_its_lists_are_read() -> None:
    port = free_port()

    def url(user: str) -> str:
        return f"redis://{user}:{PASSWORD}@127.0.0.1:{port}"

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        acl = folder / "acl.conf"
        acl.write_text(with_passwords(ACL.read_text()))
        config = fleet.write_tiny_shop(folder, "acme", store=url("publisher"), broker=url("broker"))
        with node(folder / "server", url("admin"), str(acl), "--port", str(port)) as admin:
            with fleet.worker(folder, [config], url("broker")) as worker:
                worker.queue.lpush(fleet.QUEUE, fleet.envelope(["acme"]))
                worker.said("event=published", timeout_s=60)
                worker.said("event=made step=activate", timeout_s=60)
            lookup = RelatedItems(url("reader"), "acme", deadline_s=5.0)
            assert lookup.get("a", n=1).generation == 1
            lookup.close()
            assert admin.acl_log() == []
        assert PASSWORD not in worker.log
        assert "Traceback" not in worker.log
