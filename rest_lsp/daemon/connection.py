"""The daemon's end of a connection: whole messages in, bounded memory, and no end left hanging."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from typing import cast

from rest_lsp.daemon.wire import (
    LENGTH_BYTES,
    MAX_MESSAGE_BYTES,
    BadMessage,
    Frame,
    Message,
    length_of,
    pack,
    unpack,
)
from rest_lsp.server.frames import MAX_UNREAD_BYTES

REST_S = 60.0
"""Within so long after its length the rest of a message must come."""

_SOCKET_S = 5.0


class Line:
    """Belongs to the event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def peer(self) -> socket.socket:
        """To be asked who is at its other end."""
        return cast(socket.socket, self._writer.get_extra_info("socket"))

    async def read(self, n_bytes: int) -> bytes:
        """What comes before the first message.  Raises BadMessage when there is less."""
        try:
            return await self._reader.readexactly(n_bytes)
        except (asyncio.IncompleteReadError, OSError):
            raise BadMessage("Whoever connected said too little.") from None

    def write(self, data: bytes) -> None:
        """What goes before the first message."""
        self._writer.write(data)

    async def receive(self, limit: int = MAX_MESSAGE_BYTES) -> Message | None:
        """The next message; None at the end.  Raises BadMessage, also for a message that stops in the middle."""
        try:
            header = await self._reader.readexactly(LENGTH_BYTES)
            body = await asyncio.wait_for(self._reader.readexactly(length_of(header, limit)), REST_S)
        except asyncio.TimeoutError:
            # First, since it is an OSError in newer versions of Python.
            raise BadMessage("A message stopped in the middle.") from None
        except (asyncio.IncompleteReadError, OSError):
            return None
        return unpack(body)

    def send(self, message: Message) -> None:
        """Never blocks; a peer that does not read is cut off."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        transport.write(pack(message))
        if transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            transport.abort()

    async def receive_socket(self, request: Message) -> socket.socket:
        """Send `request`, and take the socket that the other end sends for it.  Raises BadMessage."""
        # A socket comes beside the bytes, and is lost when they are read in the usual way.
        transport = cast(asyncio.Transport, self._writer.transport)
        transport.pause_reading()
        try:
            self.send(request)
            return await asyncio.to_thread(_receive_socket, self.peer.fileno())
        except OSError:
            raise BadMessage("A socket did not come.") from None
        finally:
            transport.resume_reading()

    async def close(self, timeout_s: float) -> None:
        """Sends what is queued, if it is read in time."""
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), timeout_s)
        self._writer.transport.abort()


def _receive_socket(line: int) -> socket.socket:
    """Raises OSError."""
    if sys.platform == "win32":
        raise OSError("No socket can be sent here.")
    with socket.socket(fileno=os.dup(line)) as twin:
        twin.settimeout(_SOCKET_S)
        _, received, _, _ = socket.recv_fds(twin, 1, 1)
    if not received:
        raise OSError
    return socket.socket(fileno=received[0])


class LspWriter:
    """What a language server writes to: each message, without its header, becomes one frame."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def write(self, data: bytes) -> None:
        self._line.send(Frame(data))

    def close(self) -> None:
        """The connection is closed by whoever accepted it."""
