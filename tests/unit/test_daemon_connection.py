"""A daemon's end of a connection whose other end stops in the middle of a message.  Real sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest

from rest_lsp.daemon import connection
from rest_lsp.daemon.connection import Line
from rest_lsp.daemon.wire import BadMessage, Frame, pack

MESSAGE = pack(Frame(b"{}"))


def test_the_rest_of_a_message_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REST_S", 0.01)

    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            line = Line(*await asyncio.open_connection(sock=ours))
            theirs.sendall(MESSAGE + MESSAGE[:-1])
            assert await line.receive() == Frame(b"{}")
            with pytest.raises(BadMessage, match="stopped in the middle"):
                await line.receive()
            await line.close(0)

    asyncio.run(scenario())


def test_half_a_message_and_the_end_is_the_end() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(MESSAGE[:-1])
        line = Line(*await asyncio.open_connection(sock=ours))
        assert await line.receive() is None
        await line.close(0)

    asyncio.run(scenario())
