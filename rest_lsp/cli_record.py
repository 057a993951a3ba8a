"""`rest-lsp record`: the language server, keeping what was typed and what became of it in a private file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rest_lsp.cli_options import Overrides, takes_options


@takes_options("model", "device", "completion", "drafting", "datastore", "server")
def record(
    *,
    file: Annotated[Path, typer.Argument(help="A new file; only you will be able to read it.", metavar="FILE")],
    overrides: Overrides,
) -> None:
    """Run the language server as `serve` does, and record the session to FILE.

    Let an editor start this in place of `rest-lsp serve`. The file holds the code that was open and every key, stays on
    this machine, and is replayed with `rest-lsp bench keystrokes --recording FILE`. Files of secrets are left out.

        rest-lsp record session.jsonl
    """
    from rest_lsp.cli_serve import serve_stdio

    serve_stdio(overrides, record_to=file)
