"""What a client may call the host that it asks."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from rest_lsp.http.address import Where
from rest_lsp.http.guard import Guard

TOKEN = "a-token"


def status(where: Where, host: str, token: str = TOKEN) -> int:
    """Of the answer to somebody who calls it `host`."""
    sent: list[Message] = []

    async def ask() -> None:
        guard = Guard(PlainTextResponse("here"), TOKEN, where.names)
        headers = [(b"host", host.encode()), (b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "http", "method": "GET", "path": "/v1/models", "headers": headers}
        await guard(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(ask())
    return int(sent[0]["status"])


@pytest.mark.parametrize("port", ["", ":8012"])
def test_on_loopback_only_its_own_names_are_good(port: str) -> None:
    where = Where("127.0.0.1", 8012)
    for name in ("evil.example", "127.0.0.1.evil.example", "192.168.1.5", ""):
        assert status(where, f"{name}{port}") == 421
    for name in ("127.0.0.1", "[::1]", "LocalHost"):
        assert status(where, f"{name}{port}") == 200


@pytest.mark.parametrize("host", ["192.168.1.5", "0.0.0.0", "::"])
def test_where_others_can_come_any_name_is_good_with_the_token(host: str) -> None:
    """Nobody knows by which names a network calls this machine; a page that reaches it has no token."""
    where = Where(host, 8012)
    assert status(where, "box.home.example:8012") == 200
    assert status(where, "box.home.example:8012", token="guessed") == 401
