"""HTTP within an event loop that serves others as well: what is left of it when it ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from rest_lsp.http.run import HttpDoor, Opening
from rest_lsp.server.turns import TurnThread
from rest_lsp.server.worker import Worker

DEADLINE_S = 30.0


class Session:
    service: Any = None
    datastore: Any = None
    tokenizer: Any = None
    model: Any = None
    is_resting = False

    def __init__(self) -> None:
        self.closed = threading.Event()

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
        door = HttpDoor(Opening((), "token", open_session, 0), thread, tmp_path)
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


async def _answered(place: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*place)
    writer.write(b"GET /v1/models HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer token\r\n\r\n")
    await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
