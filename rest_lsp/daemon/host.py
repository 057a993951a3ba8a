"""One language server for every front that connects, and HTTP for commands that ask, in one process, with one model."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, Protocol

import msgspec

from rest_lsp.completion.trial import Judgement
from rest_lsp.daemon.connection import Line, LspWriter
from rest_lsp.daemon.wire import (
    MAX_FIRST_BYTES,
    PROTOCOL,
    Ask,
    BadMessage,
    Broken,
    Client,
    Closing,
    Door,
    Frame,
    Hello,
    Left,
    Message,
    Refused,
    Report,
    Tried,
    Welcome,
)
from rest_lsp.memory import resident_memory
from rest_lsp.server.app import RestLanguageServer
from rest_lsp.server.backend import Backend
from rest_lsp.server.frames import BrokenFrame
from rest_lsp.server.logs import ClientLog, where
from rest_lsp.server.stalls import PATIENCE, Patience, StallWatch
from rest_lsp.server.turns import TurnThread
from rest_lsp.version import __version__, as_numbers

log = logging.getLogger(__name__)

MAX_CLIENTS = 64
MAX_STRANGERS = 32
"""Connections that have not said who they are; the oldest makes room for a new one."""

_FIRST_S = 5.0
_CLOSE_S = 1.0


class UnusableArguments(Exception):
    """What a front or a command asks for cannot be had here."""


class Server(Protocol):
    """Serves whoever is connected, with the model that all share."""

    def close(self, timeout_s: float) -> object: ...
    def summary(self) -> dict[str, Any]: ...
    async def try_out(self) -> Judgement: ...


class DoorServer(Server, Protocol):
    """Serves HTTP until it is closed."""

    async def serve(self, listener: socket.socket) -> None: ...


OpenBackend = Callable[[Hello], Backend]
"""What serves a front, from its arguments and environment.  Raises UnusableArguments."""

OpenDoor = Callable[[Door, TurnThread], Callable[[], DoorServer]]
"""What makes a server of HTTP, in another thread, since what it imports takes its time.  Raises UnusableArguments."""


class Openers(NamedTuple):
    """Whoever starts the daemon decides what serves."""

    backend: OpenBackend
    door: OpenDoor


Admits = Callable[[Line], Coroutine[Any, Any, bool]]
"""Whether the other end of a new connection may speak.  Raises BadMessage."""


class Host:
    """Belongs to the event loop.  `idle_since` is None while there are guests."""

    def __init__(
        self,
        openers: Openers,
        admits: Admits,
        version: str = __version__,
        *,
        patience: Patience = PATIENCE,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """`on_lost` is called when a pass of the model does not end within `patience`."""
        self._openers, self._admits = openers, admits
        self._version = version
        self._patience, self._on_lost = patience, on_lost
        self._thread = TurnThread("rest-lsp-engine", kept=True)
        self._strangers: dict[Line, asyncio.Task[Any] | None] = {}
        self._guests: set[Line] = set()
        self._clients: dict[Line, tuple[Hello | Door, Server]] = {}
        """The guests that are served by now."""

        self._started = time.monotonic()
        self.idle_since: float | None = time.monotonic()
        self.wants_end = asyncio.Event()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """All of one connection.  Raises nothing."""
        line = Line(reader, writer)
        try:
            await self._converse(line)
        except BadMessage as error:
            log.warning("A connection was ended: %s", error)
        except asyncio.CancelledError:
            log.debug("A connection made room for another one.")
        finally:
            await line.close(_CLOSE_S)

    def close(self) -> None:
        """Tell the fronts that this was meant, and stop all work."""
        for line in self._guests:
            line.send(Closing())
        for _, server in self._clients.values():
            server.close(0)

    async def _converse(self, line: Line) -> None:
        self._strangers[line] = asyncio.current_task()
        if len(self._strangers) > MAX_STRANGERS:
            oldest = self._strangers.pop(next(iter(self._strangers)))
            if oldest is not None:
                oldest.cancel()
        try:
            first = await asyncio.wait_for(self._first(line), _FIRST_S)
        except asyncio.TimeoutError:
            return
        finally:
            self._strangers.pop(line, None)
        if isinstance(first, Hello | Door):
            await self._welcome(line, first)
        elif isinstance(first, Ask) and first.wish == "stop":
            line.send(self._report())
            self.wants_end.set()
        elif isinstance(first, Ask):
            line.send(await self._try_out(first.folder) if first.wish == "try" else self._report())

    async def _first(self, line: Line) -> Message | None:
        if await self._admits(line):
            # Now others make room first, who may be anybody.
            self._strangers[line] = self._strangers.pop(line)
            return await line.receive(MAX_FIRST_BYTES)
        log.warning("A connection of somebody else was refused.")
        return None

    async def _welcome(self, line: Line, first: Hello | Door) -> None:
        refusal = self._refusal(first)
        if refusal is None:
            try:
                serving = self._serving(line, first)
            except UnusableArguments as error:
                refusal = Refused("arguments", str(error))
        if refusal is not None:
            line.send(refusal)
            return
        log.info("Process %d has come; there were %d.", first.pid, len(self._guests))
        self._guests.add(line)
        self.idle_since = None
        try:
            await serving
        finally:
            self._guests.remove(line)
            log.info("Process %d has gone; there are %d.", first.pid, len(self._guests))
            self.idle_since = None if self._guests else time.monotonic()
        # A session that ended leaves cycles with large buffers in them.
        gc.collect()

    def _serving(self, line: Line, first: Hello | Door) -> Coroutine[Any, Any, None]:
        if isinstance(first, Hello):
            return self._serve(line, first, self._openers.backend(first))
        return self._serve_http(line, first, self._openers.door(first, self._thread))

    def _refusal(self, hello: Hello | Door) -> Refused | None:
        if as_numbers(hello.version) > as_numbers(self._version) and not self._guests:
            self.wants_end.set()
            return Refused("yields", f"Version {self._version} makes room for {hello.version}.")
        if hello.protocol != PROTOCOL:
            mine, theirs = f"{self._version} (protocol {PROTOCOL})", f"{hello.version} (protocol {hello.protocol})"
            return Refused("protocol", f"The running daemon has version {mine}, this is {theirs}; close other editors.")
        if len(self._guests) >= MAX_CLIENTS:
            return Refused("protocol", f"The daemon serves {MAX_CLIENTS} windows and ports already.")
        return None

    async def _serve(self, line: Line, hello: Hello, backend: Backend) -> None:
        """One editor's language server, from its first message to its last."""
        line.send(Welcome(self._version, os.getpid()))
        client_log = ClientLog()
        client_log.claim()
        package = logging.getLogger("rest_lsp")
        package.addHandler(client_log)
        server = RestLanguageServer(
            backend, client_log, model_thread=self._thread, patience=self._patience, on_lost=self._on_lost
        )
        server.protocol.set_writer(LspWriter(line), include_headers=False)
        self._clients[line] = (hello, server)
        reading = asyncio.create_task(_feed(line, server))
        try:
            line.send(Left(await server.left))
        finally:
            reading.cancel()
            package.removeHandler(client_log)
            self._has_gone(line)

    async def _serve_http(self, line: Line, door: Door, make_server: Callable[[], DoorServer]) -> None:
        """For as long as the command lives to which the port belongs."""
        listener = await line.receive_socket(Welcome(self._version, os.getpid()))
        try:
            server = await asyncio.to_thread(make_server)
        except Exception as error:  # noqa: BLE001 - the daemon lives on for the others
            log.error("HTTP cannot be served: %s", where(error))
            listener.close()
            line.send(Left(1))
            return
        self._clients[line] = (door, server)
        watch = StallWatch(self._thread, self._patience, _log_stall, self._on_lost or (lambda: None))
        watch.start()
        serving = asyncio.create_task(server.serve(listener))
        ending = asyncio.create_task(line.receive(MAX_FIRST_BYTES))
        try:
            await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                line.send(Left(1))
        finally:
            ending.cancel()
            watch.stop()
            self._has_gone(line)
            failure, _ = await asyncio.gather(serving, ending, return_exceptions=True)
            if failure is not None:
                log.error("HTTP could not be served: %s", where(failure))

    def _has_gone(self, line: Line) -> None:
        _, server = self._clients.pop(line)
        server.close(0)

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


def _describe(guest: Hello | Door, summary: dict[str, Any]) -> Client:
    return msgspec.convert({"pid": guest.pid, **summary}, Client)


def _log_stall(still_s: float | None) -> None:
    if still_s is not None:
        log.warning("The model has not moved for %.0f s.", still_s)
