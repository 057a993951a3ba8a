"""`rest-lsp doctor` on the terminal and as JSON."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from rest_lsp.cli_options import JsonOption, Overrides, WorkspaceOption, takes_options
from rest_lsp.cli_terminal import print_json
from rest_lsp.config_sources import load_settings
from rest_lsp.workspace import find_root, require_folder

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@takes_options("model", "device", "datastore")
def doctor(workspace: WorkspaceOption = None, json: JsonOption = False, *, overrides: Overrides) -> None:
    """Check everything that a completion needs, each with a reason and a fix.

    Ends with a real completion when a model is here. Exit code 1 when something is broken; a warning is not.

        rest-lsp doctor

        rest-lsp doctor --workspace ~/src/flask --json
    """
    from rest_lsp.doctor import examine

    root = require_folder(workspace) if workspace else find_root(Path.cwd())
    console = Console(highlight=False, soft_wrap=True)
    checks = []
    for check in examine(load_settings(root, command_line=overrides), root):
        checks.append(check)
        if json:
            continue
        console.print(f"[{_COLOURS[check.status]}]{check.status:<5}[/]{check.name:<16}{escape(check.reason)}")
        if check.fix and check.status != "ok":
            console.print(f"{'':21}[bold]fix:[/] {escape(check.fix)}")
    is_broken = any(check.status == "fail" for check in checks)
    if json:
        print_json({"broken": is_broken, "checks": [check._asdict() for check in checks]})
    raise typer.Exit(1 if is_broken else 0)
