"""One language server for every front that connects, all in one process, with one model."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from rest_lsp.daemon import address as addresses
from rest_lsp.daemon.connection import Line, LspWriter
from rest_lsp.daemon.wire import (
    MAX_FIRST_BYTES,
    PROTOCOL,
    Ask,
    BadMessage,
    Broken,
    Client,
    Closing,
    Frame,
    Hello,
    Left,
    Refused,
    Report,
    Tried,
    Welcome,
)
from rest_lsp.memory import resident_memory
from rest_lsp.server.app import RestLanguageServer
from rest_lsp.server.backend import Backend
from rest_lsp.server.frames import BrokenFrame
from rest_lsp.server.logs import ClientLog
from rest_lsp.server.stalls import PATIENCE, Patience
from rest_lsp.server.turns import TurnThread
from rest_lsp.version import __version__, as_numbers

log = logging.getLogger(__name__)

MAX_CLIENTS = 64
MAX_STRANGERS = 32
"""Connections that have not said who they are; the oldest makes room for a new one."""

_FIRST_S = 5.0
_CLOSE_S = 1.0


class UnusableArguments(Exception):
    """The arguments of a front are not those of `rest-lsp serve`."""


OpenBackend = Callable[[Hello], Backend]
"""What serves a front, from its arguments and environment.  Raises UnusableArguments."""


class Host:
    """Belongs to the event loop.  `idle_since` is None while there are clients."""

    def __init__(
        self,
        open_backend: OpenBackend,
        version: str = __version__,
        *,
        patience: Patience = PATIENCE,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """`on_lost` is called when a pass of the model does not end within `patience`."""
        self._open_backend = open_backend
        self._version = version
        self._patience, self._on_lost = patience, on_lost
        self._thread = TurnThread("rest-lsp-engine", kept=True)
        self._strangers: dict[Line, asyncio.Task[Any] | None] = {}
        self._clients: dict[Line, tuple[Hello, RestLanguageServer]] = {}
        self._started = time.monotonic()
        self.idle_since: float | None = time.monotonic()
        self.wants_end = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All of one connection.  Raises nothing."""
        line = Line(reader, writer)
        try:
            if addresses.is_own(writer.get_extra_info("socket")):
                await self._converse(line)
            else:
                log.warning("A connection of another user was refused.")
        except BadMessage as error:
            log.warning("A connection was ended: %s", error)
        except asyncio.CancelledError:
            log.debug("A connection made room for another one.")
        finally:
            await line.close(_CLOSE_S)

    def close(self) -> None:
        """Tell the fronts that this was meant, and stop all work."""
        for line, (_, server) in list(self._clients.items()):
            line.send(Closing())
            server.close(0)

    async def _converse(self, line: Line) -> None:
        self._strangers[line] = asyncio.current_task()
        if len(self._strangers) > MAX_STRANGERS:
            oldest = self._strangers.pop(next(iter(self._strangers)))
            if oldest is not None:
                oldest.cancel()
        try:
            first = await asyncio.wait_for(line.receive(MAX_FIRST_BYTES), _FIRST_S)
        except asyncio.TimeoutError:
            return
        finally:
            self._strangers.pop(line, None)
        if isinstance(first, Hello):
            await self._welcome(line, first)
        elif isinstance(first, Ask) and first.wish == "stop":
            line.send(self._report())
            self.wants_end.set()
        elif isinstance(first, Ask):
            line.send(await self._try_out(first.folder) if first.wish == "try" else self._report())

    async def _welcome(self, line: Line, hello: Hello) -> None:
        refusal = self._refusal(hello)
        if refusal is None:
            try:
                backend = self._open_backend(hello)
            except UnusableArguments as error:
                refusal = Refused("arguments", str(error))
        if refusal is not None:
            line.send(refusal)
            return
        line.send(Welcome(self._version, os.getpid()))
        await self._serve(line, hello, backend)
        self.idle_since = None if self._clients else time.monotonic()
        # A session that ended leaves cycles with large buffers in them.
        gc.collect()

    def _refusal(self, hello: Hello) -> Refused | None:
        if as_numbers(hello.version) > as_numbers(self._version) and not self._clients:
            self.wants_end.set()
            return Refused("yields", f"Version {self._version} makes room for {hello.version}.")
        if hello.protocol != PROTOCOL:
            mine, theirs = f"{self._version} (protocol {PROTOCOL})", f"{hello.version} (protocol {hello.protocol})"
            return Refused("protocol", f"The running daemon has version {mine}, this is {theirs}; close other editors.")
        if len(self._clients) >= MAX_CLIENTS:
            return Refused("protocol", f"The daemon serves {MAX_CLIENTS} windows already.")
        return None

    async def _serve(self, line: Line, hello: Hello, backend: Backend) -> None:
        """One editor's language server, from its first message to its last."""
        log.info("A front of process %d has come; there were %d.", hello.pid, len(self._clients))
        client_log = ClientLog()
        client_log.claim()
        package = logging.getLogger("rest_lsp")
        package.addHandler(client_log)
        server = RestLanguageServer(
            backend, client_log, model_thread=self._thread, patience=self._patience, on_lost=self._on_lost
        )
        server.protocol.set_writer(LspWriter(line), include_headers=False)
        self._clients[line] = (hello, server)
        self.idle_since = None
        reading = asyncio.create_task(_feed(line, server))
        try:
            line.send(Left(await server.left))
        finally:
            reading.cancel()
            server.close(0)
            package.removeHandler(client_log)
            del self._clients[line]
            log.info("A front of process %d has gone; there are %d.", hello.pid, len(self._clients))

    async def _try_out(self, folder: str) -> Tried:
        """By a window that has this folder open, else by any."""
        servers = [server for _, server in self._clients.values()]
        servers.sort(key=lambda server: folder not in server.summary()["folders"])
        return Tried(*await servers[0].try_out()) if servers else Tried("warn", "", "")

    def _report(self) -> Report:
        clients = [_describe(hello, server.summary()) for hello, server in self._clients.values()]
        uptime_s = time.monotonic() - self._started
        return Report(self._version, os.getpid(), uptime_s, resident_memory() or 0, threading.active_count(), clients)


async def _feed(line: Line, server: RestLanguageServer) -> None:
    """Hand everything that comes to the server; what cannot be read ends it like the end of the stream."""
    try:
        while (message := await line.receive()) is not None:
            if isinstance(message, Frame):
                server.frame(message.body)
            elif isinstance(message, Broken):
                server.frame(BrokenFrame(message.reason))
    except BadMessage as error:
        log.warning("A connection was ended: %s", error)
    server.frame(None)


def _describe(hello: Hello, summary: dict[str, Any]) -> Client:
    return msgspec.convert({"pid": hello.pid, **summary}, Client)
