"""Connections that say nothing, at a real port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from rest_lsp.http.connections import Connection, Server

DEADLINE_S = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """The port of a server that waits for one second."""
    config = uvicorn.Config(
        PlainTextResponse("word"),
        http=Connection,
        lifespan="off",
        log_config=None,
        timeout_keep_alive=1,
        timeout_graceful_shutdown=1,
    )
    server, listener = Server(config), socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await asyncio.wait_for(running, DEADLINE_S)


@pytest.mark.parametrize(
    "said", [b"", REQUEST[:20], REQUEST, REQUEST + REQUEST[:20]], ids=["nothing", "half", "one", "one and a half"]
)
def test_who_says_nothing_more_is_let_go(said: bytes) -> None:
    async def scenario() -> bytes:
        async with serving() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            answer = await asyncio.wait_for(_read_to_the_end(reader), DEADLINE_S)
            writer.close()
            return answer

    assert asyncio.run(scenario()).count(b"word") == said.count(REQUEST)


async def _read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    read = bytearray()
    try:
        while part := await reader.read(1000):
            read += part
    except ConnectionResetError:
        pass
    return bytes(read)
