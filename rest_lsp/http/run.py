"""The door for other clients: the routes behind a guard, in a process of their own or within the daemon."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from rest_lsp.completion.trial import Judgement
from rest_lsp.http.app import Application
from rest_lsp.http.completer import Completer, Session
from rest_lsp.http.connections import MAX_CONNECTIONS, SILENCE_S, Connection, Server
from rest_lsp.http.guard import Guard
from rest_lsp.server.turns import TurnThread

_END_S = 1.0


class Opening(NamedTuple):
    """What is served, and to whom.

    names          what clients may call this host; empty for any
    open_session   blocks; runs in the model's thread
    idle_s         the model rests when it was not used for so long; 0 keeps it loaded
    """

    names: Sequence[str]
    token: str
    open_session: Callable[[], Session]
    idle_s: float


def serve_http(listener: socket.socket, opening: Opening, announce: Callable[[], None]) -> None:
    """Serve until the process is interrupted."""
    Server(_config(_Served(opening, started=announce))).run(sockets=[listener])


class HttpDoor:
    """The same within an event loop that serves others as well, with a model that takes turns for all of them."""

    def __init__(self, opening: Opening, thread: TurnThread, folder: Path) -> None:
        self._served = _Served(opening, thread)
        self._server = _Guest(_config(self._served))
        self._folder = folder
        self._name = "HTTP"

    async def serve(self, listener: socket.socket) -> None:
        """Until it is closed.  Takes the socket, and lets go of it before anything else ends.  Raises RuntimeError."""
        host, port = listener.getsockname()[:2]
        self._name = f"HTTP at {host}:{port}"
        try:
            await self._server.serve(sockets=[listener])
        except SystemExit:
            raise RuntimeError("uvicorn does not start") from None
        finally:
            self._served.close()

    def close(self, timeout_s: float) -> None:
        """Returns at once, whatever the time; `serve` then ends within a second or so."""
        self._server.should_exit = True

    def summary(self) -> dict[str, Any]:
        """As of an editor, for somebody who looks at all that this process serves."""
        return {"editor": self._name, "folders": [str(self._folder)], "state": self._state(), "open_documents": None}

    async def try_out(self) -> Judgement:
        """How a completion by the model that is loaded goes."""
        completer = self._served.completer
        return await completer.try_out() if completer is not None else Judgement("warn", "No model is loaded.", "")

    def _state(self) -> str:
        completer = self._served.completer
        if completer is None:
            return "loading"
        if completer.is_resting:
            return "resting"
        return "ready" if completer.state == "ok" else completer.state


class _Guest(Server):
    """Leaves signals to whom the event loop belongs."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        # It warns of whatever anybody sends, and of the errors that it tells the words may quote a document.
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        # So many are accepted in one go, while nobody else has a turn.
        backlog=MAX_CONNECTIONS,
        timeout_keep_alive=SILENCE_S,
        timeout_graceful_shutdown=1,
    )


class _Served:
    """The application; what it needs of an event loop is made when there is one."""

    def __init__(
        self, opening: Opening, thread: TurnThread | None = None, started: Callable[[], None] = lambda: None
    ) -> None:
        """Without a `thread` that others use as well, the model gets one of its own."""
        self.completer: Completer | None = None
        self._opening, self._thread = opening, thread
        self._started = started
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    def close(self) -> None:
        """Returns at once, and does nothing the second time."""
        if self.completer is not None:
            self.completer.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        opening = self._opening
        self.completer = completer = Completer(opening.open_session, opening.idle_s, self._thread)
        self._app = Guard(Application(completer).routes(), opening.token, opening.names)
        self._started()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        if self._thread is None:
            completer.join(_END_S)
        await send({"type": "lifespan.shutdown.complete"})
