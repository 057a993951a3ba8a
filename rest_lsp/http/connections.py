"""uvicorn's connections, bounded: who connects and says nothing is let go, and makes room for others before that.

Anybody on this machine can connect, whatever they may ask.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MAX_CONNECTIONS = 64
SILENCE_S = 30


class Connection(H11Protocol):
    """Belongs to the event loop.

    Silent between requests, as long as the head of one has not come, and while nobody reads what is sent.
    """

    _since_s = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_silent_from_now()
        if len(self.connections) >= MAX_CONNECTIONS:
            others = [other for other in self.connections if isinstance(other, Connection) and other is not self]
            silent = [other for other in others if other.is_silent]
            if silent:
                min(silent, key=lambda other: other._since_s).abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_silent_from_now()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._is_silent_from_now()

    @property
    def is_silent(self) -> bool:
        cycle = cast(RequestResponseCycle | None, self.cycle)
        return cycle is None or cycle.response_complete or self.flow.write_paused

    def abort(self) -> None:
        """Close it now, whether the client reads what was sent or not."""
        self.connections.discard(self)
        self.transport.abort()

    def _is_silent_from_now(self) -> None:
        self._since_s = time.monotonic()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(self.timeout_keep_alive, self._look)

    def _look(self) -> None:
        if self.is_silent:
            self.abort()


class Server(uvicorn.Server):
    """Leaves no port open and no connection behind, however it ends; uvicorn does so only where it was asked to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.servers = []

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().serve(sockets)
        finally:
            for server in self.servers:
                server.close()
            for listener in sockets or []:
                listener.close()
            for connection in list(self.server_state.connections):
                connection.transport.abort()
