"""The door for other clients as a process: a port, a token, and the routes behind a guard."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from rest_lsp.errors import ConfigError
from rest_lsp.http.app import Application
from rest_lsp.http.completer import Completer, Session
from rest_lsp.http.guard import Guard

LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_CONNECTIONS = 64
_END_S = 1.0


class Where(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @property
    def names(self) -> tuple[str, ...]:
        """What a client may call this host; empty for any, which a host that is open to others has."""
        is_loopback = self.host == "localhost" or ip_address(self.host).is_loopback
        return _LOCAL_NAMES if is_loopback else ()


def where_of(given: str) -> Where:
    """`[HOST:]PORT`.  Raises ConfigError."""
    host, _, port = given.rpartition(":")
    host = host.strip("[]") or LOOPBACK
    fix = "Write --http PORT, or --http HOST:PORT with an address of this machine."
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ConfigError(f"--http {given}: {port!r} is not a port.", fix)
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise ConfigError(f"--http {given}: {host!r} is not an address.", fix) from None
    return Where(host, int(port))


def token_in(folder: Path) -> str:
    """This user's token: made once, and kept where only they can read it.  Raises ConfigError."""
    path = folder / "http-token"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(made, "w") as file:
                file.write(secrets.token_urlsafe(32))
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{path} cannot be used ({error.strerror}).", "Give a token by --http-token.") from error
    if not token:
        raise ConfigError(f"{path} is empty.", "Remove it, and a new token is made.")
    return token


def serve_http(where: Where, token: str, open_session: Callable[[], Session], announce: Callable[[str], None]) -> None:
    """Serve until the process is interrupted.  `announce` gets the address.  Raises ConfigError."""
    with _listening(where) as listener:
        port = listener.getsockname()[1]
        shown = f"[{where.host}]" if ":" in where.host else where.host
        app = _Served(where, token, open_session, lambda: announce(f"http://{shown}:{port}"))
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run(sockets=[listener])


class _Served:
    """The application; what it needs of an event loop is made when there is one."""

    def __init__(
        self, where: Where, token: str, open_session: Callable[[], Session], started: Callable[[], None]
    ) -> None:
        self._where, self._token = where, token
        self._open_session = open_session
        self._started = started
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        completer = Completer(self._open_session)
        self._app = Guard(Application(completer).routes(), self._token, self._where.names)
        self._started()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        completer.close()
        completer.join(_END_S)
        await send({"type": "lifespan.shutdown.complete"})


@contextlib.contextmanager
def _listening(where: Where) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((where.host, where.port))
        except OSError as error:
            raise ConfigError(
                f"{where.host}:{where.port} cannot be used ({error.strerror}).",
                "Give another port; 0 takes a free one.",
            ) from error
        listener.listen()
        yield listener
