"""`recommender mcp`: a process of its own, over stdio and over HTTP."""

import asyncio
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

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


def test_options_that_do_not_fit(where: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "only with --http" in failed(capsys, ["mcp", "--api-keys", "k", *where], 3)
    assert "give HOST:PORT" in failed(capsys, ["mcp", "--http", "x", *where], 3)
    assert "--allowed-host" in failed(capsys, ["mcp", "--http", "0.0.0.0:0", *where], 3)
