"""`rest-lsp serve` in this process: hands standard input and output to the server before anything else can write there.

What serves an editor is the same here and in the daemon; `cli_front` decides which of them it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rest_lsp.cli_options import Overrides, WorkspaceOption, takes_options
from rest_lsp.config_sources import Loaded, load_settings

if TYPE_CHECKING:
    from rest_lsp.server.backend import Backend

SECTIONS = ("model", "device", "completion", "drafting", "datastore", "server", "history")
LoadSettings = Callable[[Path | None, Mapping[str, Any]], Loaded]


@takes_options(*SECTIONS)
def serve(
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="Run a server for this editor, or for these clients, alone, with its own model."
        ),
    ] = False,
    http: Annotated[
        str | None,
        typer.Option(
            help="Serve other clients by HTTP instead, on this machine only unless HOST says else.",
            metavar="[HOST:]PORT",
        ),
    ] = None,
    http_token: Annotated[
        str | None,
        typer.Option(help="What clients of --http must know. Default: one that is made once.", metavar="TEXT"),
    ] = None,
    workspace: WorkspaceOption = None,
    *,
    overrides: Overrides,
) -> None:
    """Run the language server on standard input and output.

    Editors start it; see editor_extension/README.md for how. Workspace and settings come from the editor. All windows
    of one user share one process, which is started when it is needed; see `rest-lsp daemon`.

        rest-lsp serve

        rest-lsp serve --model qwen2.5-coder-1.5b --device cuda

        rest-lsp serve --http 8012 --workspace ~/project
    """
    if http is not None:
        from rest_lsp.cli_http import serve_by_http

        serve_by_http(http, http_token, workspace, overrides, in_process=in_process)
        return
    # `cli_front` has looked at it: whoever comes here serves alone.
    serve_stdio(overrides)


def serve_stdio(overrides: Overrides, record_to: Path | None = None) -> None:
    """Serve one client on the standard streams, and record the session where that is wanted."""
    from rest_lsp.server.stdio import claim_stdio

    pipes = claim_stdio()

    from rest_lsp.server.run import run_stdio

    def load(workspace: Path | None, editor: Mapping[str, Any]) -> Loaded:
        return load_settings(workspace, editor=editor, command_line=overrides)

    transcript = _transcript(record_to) if record_to is not None else None
    run_stdio(make_backend(load, _open_session), pipes=pipes, transcript=transcript)


def _transcript(path: Path) -> Any:
    from rest_lsp.server.transcript import Transcript

    return Transcript(path)


def make_backend(load: LoadSettings, open_session: Callable[..., Any]) -> Backend:
    """What serves one editor."""
    from rest_lsp.server.backend import Backend

    return Backend(load, open_session, _fetch_model, _examine)


def _open_session(*arguments: Any) -> Any:
    # Loading torch takes seconds; the editor gets its answer to `initialize` before that.
    from rest_lsp.assembly_session import open_session

    return open_session(*arguments)


def _fetch_model(*arguments: Any) -> None:
    from rest_lsp.assembly import fetch_model

    fetch_model(*arguments)


def _examine(loaded: Loaded, root: Path | None) -> Any:
    from rest_lsp.doctor import examine

    return examine(loaded, root, with_completion=False)
