"""`rest-lsp store`: shared read-only stores: libraries, other repositories, a team's code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rest_lsp.cli_index import workspace_root
from rest_lsp.cli_options import JsonOption, Overrides, WorkspaceOption, settings_for, takes_options
from rest_lsp.cli_terminal import print_json, print_text
from rest_lsp.config import Settings
from rest_lsp.datastore.shared import SharedStores
from rest_lsp.tokenizer import Tokenizer
from rest_lsp.workspace import open_datastore, shared_stores, tokenizer_path

app = typer.Typer(no_args_is_help=True, help="Shared stores that any workspace may draft from: datastore.stores.")

Name = Annotated[str, typer.Argument(help="Name of the store, as in datastore.stores.")]


@app.command("build")
@takes_options("model", "datastore")
def build(
    name: Name,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with its files.")],
    *,
    overrides: Overrides,
) -> None:
    """Make a store of a folder, such as a library or another repository, under the rules of the index.

    rest-lsp store build stdlib /usr/lib/python3.11
    """
    settings = settings_for(None, overrides)
    store = _stores(settings).build(name, folder, Tokenizer.from_file(tokenizer_path(settings)).encode_batch)
    print_text(f"{name}: {store.segment.n_documents:,} files, {store.segment.n_tokens:,} tokens")


@app.command("export")
@takes_options("model", "datastore")
def export(
    file: Annotated[Path, typer.Argument(help="File to write.", dir_okay=False)],
    workspace: WorkspaceOption = None,
    *,
    overrides: Overrides,
) -> None:
    """Write the index of a workspace to one file, for others with the same model. It holds the text of your code.

    rest-lsp store export team.seg
    """
    root = workspace_root(workspace)
    settings = settings_for(root, overrides)
    datastore = open_datastore(settings, root, tokenizer_path(settings))
    try:
        n_tokens = _stores(settings).export(datastore.living_segments(), file)
    finally:
        datastore.close()
    print_text(f"{file}: {n_tokens:,} tokens")


@app.command("import")
@takes_options("model", "datastore")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of `rest-lsp store export`.")],
    *,
    overrides: Overrides,
) -> None:
    """Take in an exported store, after checking every byte and that it is for the same tokenizer.

    rest-lsp store import team team.seg
    """
    store = _stores(settings_for(None, overrides)).take(name, file)
    print_text(f"{name}: {store.segment.n_documents:,} files, {store.segment.n_tokens:,} tokens")


@app.command("list")
@takes_options("model", "datastore")
def list_(json: JsonOption = False, *, overrides: Overrides) -> None:
    """Show the stores that are here for the configured model.

    rest-lsp store list
    """
    stores = _stores(settings_for(None, overrides))
    opened = [stores.open(name) for name in stores.names()]
    if json:
        rows = [(store.name, store.segment.n_documents, store.segment.n_tokens) for store in opened]
        print_json([{"name": name, "files": files, "tokens": tokens} for name, files, tokens in rows])
        return
    for store in opened:
        print_text(f"{store.name}: {store.segment.n_documents:,} files, {store.segment.n_tokens:,} tokens")
    if not opened:
        print_text("There are none. `rest-lsp store build` and `import` make them.")


@app.command("remove")
@takes_options("model", "datastore")
def remove(name: Name, *, overrides: Overrides) -> None:
    """Delete a store.

    rest-lsp store remove team
    """
    _stores(settings_for(None, overrides)).remove(name)


def _stores(settings: Settings) -> SharedStores:
    return shared_stores(settings, tokenizer_path(settings))
