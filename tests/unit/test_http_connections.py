"""Connections that say nothing, or read nothing, at a real port."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from rest_lsp.http.connections import MAX_CONNECTIONS, Connection, Server
from tests.waiting import wait_until

DEADLINE_S = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = "word" * 200_000
"""More than the system keeps for a client that reads nothing."""


@asynccontextmanager
async def serving(answer: str = "word", *, silence_s: int = 1) -> AsyncIterator[int]:
    """The port of a server that waits for so long."""
    config = uvicorn.Config(
        PlainTextResponse(answer),
        http=Connection,
        lifespan="off",
        log_config=None,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=silence_s,
        timeout_graceful_shutdown=1,
    )
    server, listener = Server(config), socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
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


def test_who_asks_and_does_not_read_is_let_go() -> None:
    async def scenario() -> None:
        async with serving(LONG) as port:
            with unread(port) as connected, pytest.raises(ConnectionError):
                await asyncio.to_thread(_ask_on_and_on, connected)

    asyncio.run(scenario())


def test_those_who_do_not_read_make_room_for_others() -> None:
    async def scenario() -> None:
        async with serving(LONG, silence_s=3600) as port:
            with ExitStack() as stack:
                for _ in range(MAX_CONNECTIONS):
                    connected = stack.enter_context(unread(port))
                    connected.sendall(2 * REQUEST)
                    assert await asyncio.to_thread(connected.recv, 1), "the first answer is on its way"
                await asyncio.to_thread(wait_until, lambda: is_served(port), "somebody else is served", DEADLINE_S)

    asyncio.run(scenario())


def unread(port: int) -> socket.socket:
    """A connection whose end here takes next to nothing."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    connected.settimeout(DEADLINE_S)
    connected.connect(("127.0.0.1", port))
    return connected


def is_served(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except ConnectionError:
        return False
    finally:
        connection.close()


def _ask_on_and_on(connected: socket.socket) -> None:
    while True:
        connected.sendall(REQUEST)


async def _read_to_the_end(reader: asyncio.StreamReader) -> bytes:
    read = bytearray()
    try:
        while part := await reader.read(1000):
            read += part
    except ConnectionResetError:
        pass
    return bytes(read)
