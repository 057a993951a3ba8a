"""All commands, and what becomes of their errors.  Each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, NoReturn

import typer

from rest_lsp import (
    cli_complete,
    cli_daemon,
    cli_dashboard,
    cli_doctor,
    cli_index,
    cli_models,
    cli_query,
    cli_record,
    cli_serve,
    cli_store,
)
from rest_lsp.bench.cli import app as bench_app
from rest_lsp.cli_terminal import print_error
from rest_lsp.errors import Cancelled, RestLspError

_HELP = """Inline code completion from a local model, made fast by drafting from your own code.

Start with `rest-lsp doctor`, then `rest-lsp models pull`, then point your editor at `rest-lsp serve`.

Options of every command can also be set in the environment (REST_LSP_COMPLETION_SEED=1) and in rest-lsp.toml,
in the project or in ~/.config/rest-lsp. The README has the whole table.
"""


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        try:
            print("rest-lsp", version("rest-lsp"))
        except PackageNotFoundError:
            print("rest-lsp, run from its sources")
        raise typer.Exit


app = typer.Typer(
    name="rest-lsp",
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)
app.command()(cli_serve.serve)
app.command()(cli_record.record)
app.command()(cli_complete.complete)
app.command()(cli_index.index)
app.command()(cli_index.status)
app.command()(cli_query.query)
app.command()(cli_doctor.doctor)
app.command()(cli_dashboard.dashboard)
app.add_typer(cli_daemon.app, name="daemon")
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_store.app, name="store")
app.add_typer(bench_app, name="bench")


@app.callback()
def rest_lsp(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options that stand before any command; the help text is that of `app`."""


def run() -> NoReturn:
    """Run the command line.  An expected failure is one sentence and a hint; REST_LSP_DEBUG=1 shows where it arose.

    Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted.
    """
    try:
        app(prog_name="rest-lsp")
        sys.exit(0)
    except (KeyboardInterrupt, Cancelled):
        print("Interrupted; nothing is left half-written.", file=sys.stderr)
        sys.exit(130)
    except (RestLspError, OSError) as error:
        if os.environ.get("REST_LSP_DEBUG"):
            raise
        print_error(error if isinstance(error, RestLspError) else _from_system(error))
        sys.exit(1)


def _from_system(error: OSError) -> RestLspError:
    """What the operating system refused, and to which file."""
    where = f"{error.filename}: " if error.filename else ""
    return RestLspError(f"{where}{error.strerror or error}.", "Check that the path exists and that you may use it.")
