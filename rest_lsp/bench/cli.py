"""`rest-lsp bench`: the options of each measurement.  Imports what measures only once a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Measure on this machine.")


@app.callback()
def bench() -> None:
    """Measure on this machine: what drafts save, and that they change nothing."""


@app.command()
def decode(  # noqa: PLR0917 -- typer reads one parameter per option
    workspace: Annotated[
        Path | None, typer.Option(help="Folder to draft from and to cut holes in. Default: flask 3.1.2, fetched once.")
    ] = None,
    cases: Annotated[
        Path | None, typer.Option(help="Holes as JSON lines, instead of holes chosen by the seed.")
    ] = None,
    kinds: Annotated[str, typer.Option(help="Kinds of holes to measure, with commas.")] = "line,block,body",
    per_kind: Annotated[int, typer.Option(min=1, help="Holes of each kind to choose.")] = 28,
    seed: Annotated[int, typer.Option(help="Chooses other holes.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only so many holes, spread over the kinds.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Measure each hole so often and keep the median times.")] = 1,
    nodes: Annotated[
        int | None,
        typer.Option(min=0, max=64, help="Draft this many tokens per pass. Default: the cost model chooses."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name, folder or file of the model. Default: the configured one.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: the configured one.")] = None,
    dtype: Annotated[str | None, typer.Option(help="int8, bf16, fp16 or fp32. Default: the configured one.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the report to this PNG file.")] = None,
) -> None:
    """Complete holes in real files with and without drafts and compare tokens and times.

    The file with the hole is left out of the datastore. Both ways run in turns and must give the same tokens; the exit
    code is 1 when they do not.
    """
    from rest_lsp.bench.session import Options, run_decode

    options = Options(
        workspace=workspace, cases=cases, kinds=kinds, per_kind=per_kind, seed=seed, limit=limit, repeat=repeat,
        nodes=nodes, model=model, device=device, dtype=dtype, json=json, plot=plot,
    )  # fmt: skip
    if not run_decode(options):
        raise typer.Exit(1)
