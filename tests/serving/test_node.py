from recommender.serving.fallbacks import FAILURES
from recommender.serving.network import Network
from recommender.serving.node import Node
from recommender.serving.state import NotAsked
from recommender.serving.transport import Connections
from tests.serving.test_network import Run, both


@both
def test_the_breaker_of_a_node_opens_with_its_failures_and_names_it(
    network: Network, run: Run, refused_port: int
) -> None:
    reports: list[str] = []

    async def ask() -> None:
        node = Node(
            ("127.0.0.1", refused_port),
            Connections(f"redis://127.0.0.1:{refused_port}", network, client_name="node"),
            network,
            deadline_s=0.1,
            report=lambda event, error: reports.append(f"{event}: {error}"),
        )
        for _ in range(2 * FAILURES):
            node.failed("read_failures", NotAsked("no connection was free"))
        opened = [node.breaker.opened]
        for _ in range(FAILURES):
            node.failed("read_failures", ConnectionError("refused"))
        assert [*opened, node.breaker.opened] == [0, 1]
        node.stop()

    run(ask())
    assert f"read_failures: node 127.0.0.1:{refused_port}: refused" in reports
