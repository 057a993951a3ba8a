"""`rest-lsp serve`: hands standard input and output to the server before anything else can write to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rest_lsp.cli_options import Overrides, takes_options
from rest_lsp.config_sources import Loaded, load_settings


@takes_options("model", "device", "completion", "drafting", "datastore", "server", "history")
def serve(*, overrides: Overrides) -> None:
    """Run the language server on standard input and output.

    Editors start it; see editor_extension/README.md for how. Workspace and settings come from the editor.

        rest-lsp serve

        rest-lsp serve --model qwen2.5-coder-1.5b --device cuda
    """
    serve_stdio(overrides)


def serve_stdio(overrides: Overrides, record_to: Path | None = None) -> None:
    """Serve one client on the standard streams, and record the session where that is wanted."""
    from rest_lsp.server.stdio import claim_stdio

    pipes = claim_stdio()

    from rest_lsp.server.backend import Backend
    from rest_lsp.server.run import run_stdio

    def load(workspace: Path | None, editor: Mapping[str, Any]) -> Loaded:
        return load_settings(workspace, editor=editor, command_line=overrides)

    transcript = _transcript(record_to) if record_to is not None else None
    run_stdio(Backend(load, _open_session, _fetch_model, _examine), pipes=pipes, transcript=transcript)


def _transcript(path: Path) -> Any:
    from rest_lsp.server.transcript import Transcript

    return Transcript(path)


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
