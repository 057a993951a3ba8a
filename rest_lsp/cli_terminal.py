"""What the command line writes where: results on standard output, all else on standard error, bars on terminals."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rest_lsp.errors import RestLspError
from rest_lsp.models.progress import Progress as OnProgress
from rest_lsp.models.progress import ProgressEvent, silent

_STAGES = {
    "download": "Downloading the model",
    "verify": "Verifying the model",
    "convert": "Converting the model",
    "read": "Reading the model",
    "wait": "Waiting for another process",
    "load": "Loading the model",
    "measure": "Measuring this machine, once",
    "list": "Listing files",
    "index": "Indexing",
}


def print_json(value: object) -> None:
    """One document, ASCII only so that no terminal's encoding matters."""
    print(json.dumps(value, indent=2), flush=True)


def print_text(text: str, style: str | None = None) -> None:
    """A line for people on standard output; nothing in it is taken for markup."""
    Console(highlight=False, soft_wrap=True).print(text, style=style, markup=False)


def warn(message: str) -> None:
    """A line on standard error; the work goes on."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[yellow]warning:[/] {escape(message)}")


def print_error(error: RestLspError) -> None:
    """What happened, and on the next line what to do."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[red]error:[/] {escape(error.message)}")
    if error.hint:
        console.print(f"       {escape(error.hint)}")


@contextmanager
def progress_bars() -> Iterator[OnProgress]:
    """A callback that shows one bar per stage; it shows nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(event: ProgressEvent) -> None:
            if event.stage not in tasks:
                description = _STAGES.get(event.stage, event.stage.capitalize())
                tasks[event.stage] = progress.add_task(description, total=None, amount="")
            progress.update(tasks[event.stage], completed=event.done, total=event.total or None, amount=_amount(event))

        yield show


def _amount(event: ProgressEvent) -> str:
    if event.unit == "bytes":
        done, total = (f"{count / 1e6:,.0f}" for count in (event.done, event.total))
        return f"{done} of {total} MB" if event.total else f"{done} MB"
    return f"{event.done:,} of {event.total:,} {event.unit}" if event.total else ""
