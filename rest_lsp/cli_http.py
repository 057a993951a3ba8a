"""`rest-lsp serve --http`: the door for clients that speak llama.cpp's or OpenAI's HTTP."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.cli_options import Overrides, settings_for
from rest_lsp.cli_terminal import print_text, warn
from rest_lsp.errors import ConfigError, RestLspError
from rest_lsp.http.address import Where, listening, token_in, url_of, where_of
from rest_lsp.workspace import find_root, require_folder

if TYPE_CHECKING:
    from rest_lsp.assembly_session import Session
    from rest_lsp.config import Settings

TOKEN_VARIABLE = "REST_LSP_HTTP_TOKEN"


def serve_by_http(
    given: str, token: str | None, workspace: Path | None, overrides: Overrides, *, in_process: bool
) -> None:
    """Serve until it is interrupted, by the daemon where one can be had.  Raises ConfigError."""
    root = require_folder(workspace) if workspace else find_root(Path.cwd())
    settings = settings_for(root, overrides)
    where = where_of(given)
    token = token or os.environ.get(TOKEN_VARIABLE) or token_in(settings.model.cache_dir)
    with listening(where) as listener:

        def announce() -> None:
            kept = settings.model.cache_dir / "http-token"
            print_text(f"{url_of(where, listener)} serves {root}; the token is in {kept}, unless given.")

        if not in_process:
            _serve_by_daemon(listener, where, token, root, overrides, announce)
        _serve_alone(listener, where, token, root, settings, announce)


def _serve_by_daemon(
    listener: socket.socket, where: Where, token: str, root: Path, overrides: Overrides, announce: Callable[[], None]
) -> None:
    """Returns when this process must serve by itself."""
    from rest_lsp.cli_front import DAEMON
    from rest_lsp.daemon.address import NoDaemon, runtime_address
    from rest_lsp.daemon.door import DoorFailed, keep_open
    from rest_lsp.daemon.joining import BadArguments, door, join, starter

    greeting, start = door(where.names, token, str(root), overrides), starter(DAEMON)
    try:
        address = runtime_address()
        connection = join(greeting, address, start)
    except BadArguments:
        # Whatever is missing there is said when it is missing here as well.
        return
    except NoDaemon as error:
        warn(f"{error} This command runs a model of its own.")
        return
    announce()
    try:
        keep_open(listener, connection, lambda: join(greeting, address, start))
    except DoorFailed as error:
        raise RestLspError(str(error), "`rest-lsp daemon logs` may say why.") from None


def _serve_alone(
    listener: socket.socket, where: Where, token: str, root: Path, settings: Settings, announce: Callable[[], None]
) -> None:
    try:
        from rest_lsp.http.run import Opening, serve_http
    except ImportError as error:
        raise ConfigError(f"--http needs {error.name}.", "pip install 'rest-lsp[http]'") from error

    def open_session() -> Session:
        from rest_lsp.assembly_session import open_session

        return open_session(settings, [root])

    serve_http(listener, Opening(where.names, token, open_session, 60 * settings.server.unload_minutes), announce)
