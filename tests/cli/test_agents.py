"""`recommender mcp`: a process of its own, over stdio and over HTTP."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from recommender.cli.agents import address, allowed_hosts
from recommender.cli.arguments import UsageError
from tests.cli.shop import failed


def test_over_stdio(live: Path) -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "recommender.cli", "mcp", "--config", str(live)]
    )

    async def ask() -> None:
        async with Client(server) as client:
            answer = await client.call_tool("related", {"items": "a", "n": 2})
            assert not answer.is_error
            assert answer.structured_content is not None
            assert len(answer.structured_content["related"]) == 2
            refused = await client.call_tool("related", {"items": "A"})
            assert refused.is_error

    asyncio.run(asyncio.wait_for(ask(), 60))


def test_a_signal_ends_it_while_stdin_is_open(live: Path) -> None:
    command = [sys.executable, "-m", "recommender.cli", "mcp", "--config", str(live)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        assert b'"id":1' in process.stdout.readline()
        process.terminate()
        assert process.wait(20) == 0


def test_options_that_do_not_fit(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "only with --http" in failed(capsys, ["mcp", "--api-keys", "k", *where], 2)
    assert "give HOST:PORT" in failed(capsys, ["mcp", "--http", "x", *where], 2)
    assert "--allowed-host" in failed(capsys, ["mcp", "--http", "0.0.0.0:0", *where], 2)


def test_addresses() -> None:
    assert address("8765") == ("127.0.0.1", 8765)
    assert address("[::1]:1") == ("::1", 1)
    assert address("10.0.0.1:80") == ("10.0.0.1", 80)
    for wrong in ("x", "h:", "h:99999", "h:-1"):
        with pytest.raises(UsageError, match="give HOST:PORT"):
            address(wrong)


def test_hosts_that_requests_may_name() -> None:
    assert "localhost" in allowed_hosts("127.0.0.1", [])
    assert allowed_hosts("10.0.0.1", ["shop.example"]) == ["10.0.0.1", "shop.example"]
    assert allowed_hosts("0.0.0.0", ["shop.example"]) == ["shop.example"]
    with pytest.raises(UsageError, match="--allowed-host"):
        allowed_hosts("0.0.0.0", [])
