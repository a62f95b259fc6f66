"""Tests ask a server in memory by the SDK's own client."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mcp import Client

from recommender.agents.server import AgentServer

T = TypeVar("T")
SEED = "20000"


def with_client(agents: AgentServer, ask: Callable[[Client], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with Client(agents.server()) as client:
            return await ask(client)

    return asyncio.run(connected())


def call(agents: AgentServer, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    result = with_client(agents, lambda client: client.call_tool(tool, arguments))
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


def refused(agents: AgentServer, tool: str, **arguments: Any) -> str:  # noqa: ANN401
    result = with_client(agents, lambda client: client.call_tool(tool, arguments))
    assert result.is_error
    (content,) = result.content
    assert content.type == "text"
    assert "\n" not in content.text
    return content.text
