"""HTTP within an event loop that serves others as well: what is left of it when it ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.cancellation import CancelToken
from rest_lsp.completion.request import AS_SET, CompletionRequest, CompletionResult, Wishes
from rest_lsp.http.run import HttpDoor, Opening
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0


class Service:
    """Works until it is cancelled."""

    def __init__(self) -> None:
        self.started = threading.Event()

    def complete(self, request: CompletionRequest, cancel: CancelToken, wishes: Wishes = AS_SET) -> CompletionResult:
        self.started.set()
        never = threading.Event()
        while not never.wait(0.001):
            cancel.raise_if_cancelled()
        raise AssertionError("only a cancellation ends it")


class Session:
    datastore: Any = None
    tokenizer: Any = None
    model: Any = None
    is_resting = False

    def __init__(self) -> None:
        self.closed = threading.Event()
        self.service = Service()

    def status(self) -> dict[str, Any]:
        return {}

    def rest(self, _: float) -> None:
        pass

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("way", ["closed at once", "closed", "cancelled"])
def test_no_port_and_no_session_is_left(way: str, tmp_path: Path) -> None:
    sessions: list[Session] = []

    def open_session() -> Session:
        sessions.append(Session())
        return sessions[-1]

    async def scenario() -> None:
        thread = TurnThread("test")
        others = Worker("others", thread=thread)
        door = HttpDoor(Opening(("localhost",), "token", open_session, 0), thread, tmp_path)
        listener = socket.create_server(("127.0.0.1", 0))
        place = listener.getsockname()
        serving = asyncio.create_task(door.serve(listener))
        if way != "closed at once":
            await _answered(place)
        if way == "cancelled":
            serving.cancel()
        else:
            door.close(0)
        await asyncio.wait_for(asyncio.gather(serving, return_exceptions=True), DEADLINE_S)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*place)
        await asyncio.wait_for(others.post("turn", lambda _: None), DEADLINE_S)
        assert [session.closed.wait(DEADLINE_S) for session in sessions] == [True] * len(sessions)
        assert sessions or way == "closed at once"
        others.stop()

    asyncio.run(scenario())


def test_who_closes_the_connection_is_not_worked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        thread, session = TurnThread("test"), Session()
        others = Worker("others", thread=thread)
        door = HttpDoor(Opening(("localhost",), "token", lambda: session, 0), thread, tmp_path)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(door.serve(listener))
        _, writer = await asyncio.open_connection(*listener.getsockname())
        body = b'{"input_prefix": "x = "}'
        head = "POST /infill HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token\r\n"
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + kind).encode() + body)
        assert await asyncio.to_thread(session.service.started.wait, DEADLINE_S)
        waiting = others.post("turn", lambda _: "shown")
        writer.close()
        assert await asyncio.wait_for(waiting, DEADLINE_S) == "shown"
        door.close(0)
        await asyncio.wait_for(serving, DEADLINE_S)
        others.stop()

    asyncio.run(scenario())


async def _answered(place: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*place)
    writer.write(b"GET /v1/models HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer token\r\n\r\n")
    await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
