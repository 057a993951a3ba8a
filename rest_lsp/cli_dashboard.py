"""`rest-lsp dashboard`: what completions cost and where they come from, in a browser."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rest_lsp.cli_options import JsonOption, Overrides, settings_for, takes_options
from rest_lsp.cli_terminal import print_json, print_text


@takes_options("model")
def dashboard(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
    until_eof: Annotated[
        bool, typer.Option("--until-eof", help="End when standard input ends: for programs that start it.")
    ] = False,
    json: JsonOption = False,
    *,
    overrides: Overrides,
) -> None:
    """Show what completions cost and where they come from, live, in a browser.

    Reads the record that servers of all workspaces keep, so it can be started at any time; Ctrl+C ends it. Only this
    machine can reach it, and the address works once, in one browser.

        rest-lsp dashboard

        rest-lsp dashboard --no-browser --port 8123
    """
    from rest_lsp.dashboard.app import PAGE, Pages
    from rest_lsp.dashboard.index_health import check_installation, examine_index
    from rest_lsp.dashboard.serving import serve_dashboard

    record = settings_for(None, overrides).history_file

    def announce(address: str) -> None:
        if json:
            print_json({"address": address, "record": str(record), "page": str(PAGE)})
        else:
            print_text(f"{address}\nreads {record}; Ctrl+C ends it")

    folder: Path | None = record.parent if browser else None
    pages = Pages(record, examine_index, check_installation)
    serve_dashboard(pages, port, announce, folder=folder, until=sys.stdin.buffer if until_eof else None)
