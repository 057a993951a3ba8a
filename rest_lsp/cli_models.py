"""`rest-lsp models`: which models are known, which are here, and fetching them.  Loads none."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rest_lsp.cli_options import JsonOption, Overrides, settings_for, takes_options
from rest_lsp.cli_terminal import print_json, print_text, progress_bars
from rest_lsp.errors import ModelError
from rest_lsp.models.store import ModelListing
from rest_lsp.workspace import model_name, model_store

app = typer.Typer(no_args_is_help=True, help="List, fetch and locate models.")

NameArgument = Annotated[
    str | None,
    typer.Argument(help="A name from the list, a path, or a Hugging Face id. Default: the configured model."),
]


@app.command("list")
@takes_options("model")
def list_models(json: JsonOption = False, *, overrides: Overrides) -> None:
    """List the models that are known by name, and what of each is on this machine."""
    settings = settings_for(None, overrides)
    listings = model_store(settings).list()
    if json:
        print_json([_as_json(listing) for listing in listings])
        return
    configured = model_name(settings)
    table = Table("", "name", "size", "here", "converted", "licence", "what for", box=None, pad_edge=False)
    for listing in listings:
        entry = listing.entry
        table.add_row(
            "*" if entry.name == configured else "",
            entry.name,
            _megabytes(entry.bytes),
            "yes" if listing.original_bytes else "no",
            f"{', '.join(listing.forms)} ({_megabytes(listing.packed_bytes)})" if listing.forms else "no",
            entry.licence,
            entry.description,
        )
    Console(highlight=False).print(table)
    print_text("* is what the settings choose. `rest-lsp models pull NAME` fetches one; any path or hub id works, too.")


@app.command()
@takes_options("model", "device")
def pull(name: NameArgument = None, json: JsonOption = False, *, overrides: Overrides) -> None:
    """Download a model and verify its checksum.

    A download that was interrupted goes on where it stopped. A file that is here already is not fetched again.

        rest-lsp models pull

        rest-lsp models pull qwen2.5-coder-1.5b
    """
    settings = settings_for(None, overrides)
    chosen = name or model_name(settings)
    with progress_bars() as progress:
        path = model_store(settings, progress).pull(chosen)
    if json:
        print_json({"name": chosen, "path": str(path)})
    else:
        print_text(f"{chosen}: {path}")


@app.command()
@takes_options("model", "device")
def path(name: NameArgument = None, *, overrides: Overrides) -> None:
    """Print where a model's file or folder lies; exit code 1 when it is not on this machine."""
    settings = settings_for(None, overrides)
    chosen = name or model_name(settings)
    found = model_store(settings).path(chosen)
    if found is None:
        raise ModelError(f"The model {chosen} is not on this machine.", f"Run `rest-lsp models pull {chosen}`.")
    print_text(str(found))


def _as_json(listing: ModelListing) -> dict[str, object]:
    entry = listing.entry
    return {
        "name": entry.name,
        "description": entry.description,
        "licence": entry.licence,
        "file": entry.file,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "downloaded": listing.original_bytes > 0,
        "forms": list(listing.forms),
        "packed_bytes": listing.packed_bytes,
    }


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB"
