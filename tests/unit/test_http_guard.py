"""What a client may call the host that it asks."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from rest_lsp.http.address import Where
from rest_lsp.http.guard import Guard

NAME = socket.gethostname()


def status(where: Where, host: str) -> int:
    """Of the answer to somebody who calls it `host`."""
    sent: list[Message] = []

    async def ask() -> None:
        guard = Guard(PlainTextResponse("here"), "token", where.names)
        headers = [(b"host", host.encode()), (b"authorization", b"Bearer token")]
        scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": headers}
        await guard(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(ask())
    return int(sent[0]["status"])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "192.168.1.5", "0.0.0.0", "::"])
@pytest.mark.parametrize("port", ["", ":8012"])
def test_names_of_sites_are_refused_wherever_it_listens(host: str, port: str) -> None:
    where = Where(host, 8012)
    assert status(where, f"evil.example{port}") == 421
    assert status(where, port) == 421
    assert status(where, f"192.168.1.5.evil.example{port}") == 421
    assert status(where, f"192.168.1.5{port}") == 200
    assert status(where, f"[::1]{port}") == 200
    assert status(where, f"LocalHost{port}") == 200


def test_the_name_of_this_machine_is_good_where_others_can_come() -> None:
    for name in (NAME, NAME.upper(), f"{NAME}.local:8012"):
        assert status(Where("192.168.1.5", 8012), name) == 200
        assert status(Where("127.0.0.1", 8012), name) == (200 if name.lower() == "localhost" else 421)
