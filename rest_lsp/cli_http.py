"""`rest-lsp serve --http`: the door for clients that speak llama.cpp's or OpenAI's HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rest_lsp.cli_options import Overrides, settings_for
from rest_lsp.cli_terminal import print_text
from rest_lsp.errors import ConfigError
from rest_lsp.workspace import find_root, require_folder

if TYPE_CHECKING:
    from rest_lsp.assembly_session import Session

TOKEN_VARIABLE = "REST_LSP_HTTP_TOKEN"


def serve_by_http(given: str, token: str | None, workspace: Path | None, overrides: Overrides) -> None:
    """Serve until it is interrupted.  Raises ConfigError."""
    try:
        from rest_lsp.http.run import serve_http, token_in, where_of
    except ImportError as error:
        raise ConfigError(f"--http needs {error.name}.", "pip install 'rest-lsp[http]'") from error

    root = require_folder(workspace) if workspace else find_root(Path.cwd())
    settings = settings_for(root, overrides)
    where = where_of(given)
    token = token or os.environ.get(TOKEN_VARIABLE) or token_in(settings.model.cache_dir)

    def open_session() -> Session:
        from rest_lsp.assembly_session import open_session

        return open_session(settings, [root])

    def announce(address: str) -> None:
        print_text(f"{address} serves {root}; the token is in {settings.model.cache_dir / 'http-token'}, unless given.")

    serve_http(where, token, open_session, announce)
