"""The dashboard as a process: a port on the loopback interface, and a browser that is sent there."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import BinaryIO

import uvicorn

from rest_lsp.dashboard.app import Pages
from rest_lsp.dashboard.guard import Guard
from rest_lsp.errors import ConfigError

LOOPBACK = "127.0.0.1"


def serve_dashboard(
    pages: Pages,
    port: int,
    announce: Callable[[str], None],
    *,
    folder: Path | None,
    until: BinaryIO | None = None,
) -> None:
    """Serve until the process is interrupted, or until `until` ends: whoever holds its other end has gone then.

    A browser is opened when there is a private `folder` to do that by.  `announce` gets the address once it can be
    opened.  Raises ConfigError when the port is taken.
    """
    with _listening(port) as listener:
        guard = Guard(pages.application(), listener.getsockname()[1])
        config = uvicorn.Config(
            guard,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=64,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        if until is not None:
            threading.Thread(target=_end_with, args=(until, server), daemon=True).start()
        with _opened(guard.address, folder):
            announce(guard.address)
            server.run(sockets=[listener])


def _end_with(stream: BinaryIO, server: uvicorn.Server) -> None:
    # Not by the stream's own buffer: its lock, held while this waits, would break the end of the interpreter.
    while os.read(stream.fileno(), 1024):
        pass
    server.should_exit = True


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with contextlib.closing(socket.socket()) as listener:
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            raise ConfigError(
                f"Port {port} cannot be used ({error.strerror}).", "Leave --port out, and a free one is taken."
            ) from error
        listener.listen()
        yield listener


@contextlib.contextmanager
def _opened(address: str, folder: Path | None) -> Iterator[None]:
    """Send the browser there by a file that only this user can read: arguments of processes can be seen by others."""
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="open-", dir=folder) as private:
        page = Path(private) / "dashboard.html"
        page.write_text(f'<meta http-equiv="refresh" content="0; url={escape(address)}">', encoding="utf-8")
        webbrowser.open(page.as_uri())
        yield
