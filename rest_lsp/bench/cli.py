"""`rest-lsp bench`: the options of each measurement.  Imports what measures only once a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rest_lsp.bench import store_cli, suggestions_cli
from rest_lsp.cli_options import Overrides, settings_for, takes_options

Workspace = Annotated[
    Path | None,
    typer.Option(help="Folder to draft from and to cut holes in. Default: flask 3.1.2, fetched once.", metavar="DIR"),
]

app = typer.Typer(no_args_is_help=True, help="Measure on this machine what drafts save, and that they change nothing.")

app.command()(store_cli.index)
app.command()(store_cli.retrieval)
app.command()(suggestions_cli.keystrokes)
app.command()(suggestions_cli.windows)
app.command()(suggestions_cli.quality)


@app.callback()
def bench() -> None:
    """Measure on this machine what drafts save, and that they change nothing."""


@app.command()
@takes_options("model", "device")
def decode(
    *,
    workspace: Workspace = None,
    cases: Annotated[
        Path | None, typer.Option(help="Holes as JSON lines, not chosen by the seed.", metavar="FILE")
    ] = None,
    projects: Annotated[
        str | None,
        typer.Option(
            help="Pinned projects instead: flask, requests, werkzeug, httpx, psutil (C), or all.", metavar="NAMES"
        ),
    ] = None,
    kinds: Annotated[
        str, typer.Option(help="Kinds of holes to measure, with commas.", metavar="KINDS")
    ] = "line,block,body",
    per_kind: Annotated[int, typer.Option(min=1, help="Holes of each kind to choose.")] = 28,
    seed: Annotated[int, typer.Option(help="Another seed chooses other holes.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only so many holes, spread over the kinds.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Measure each hole so often and keep the median times.")] = 1,
    nodes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Draft this many tokens per pass. Default: measured costs decide.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="Sample at this temperature; 0 takes the most likely token.")
    ] = 0.0,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Switch each source and idea off alone, at 64 and at the chosen nodes.")
    ] = False,
    warm: Annotated[
        bool, typer.Option("--warm", help="Keep what earlier holes taught; else each begins anew.")
    ] = False,
    libraries: Annotated[
        bool,
        typer.Option("--libraries", help="Draft from installed packages and the standard library as well."),
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the report to this file.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Complete holes in real files with and without drafts, and compare tokens and times.

    The file with the hole is left out of the datastore. Both ways run in turns and must give the same tokens; the exit
    code is 1 when they do not.

        rest-lsp bench decode --json report.json --plot report.png

        rest-lsp bench decode --projects all --per-kind 12

        rest-lsp bench decode --ablate --kinds block,body
    """
    from rest_lsp.bench.session import Options, run_decode

    options = Options(
        workspace=workspace, cases=cases, projects=projects, kinds=kinds, per_kind=per_kind, seed=seed, limit=limit,
        repeat=repeat, nodes=nodes, temperature=temperature, ablate=ablate, warm=warm, libraries=libraries, json=json,
        plot=plot, overrides=overrides,
    )  # fmt: skip
    if not run_decode(options):
        raise typer.Exit(1)


@app.command()
@takes_options("model", "device")
def attention(
    *,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    overrides: Overrides,
) -> None:
    """Time the forms of tree attention at the sizes of the model: a mask, FlexAttention, and keys gathered by row.

    The engine takes the mask on GPUs, and keys gathered by row with device.fixed_width.

        rest-lsp bench attention --json attention.json
    """
    from rich.console import Console

    from rest_lsp.bench.attention import run_attention

    run_attention(Console(), settings_for(None, overrides), json)


@app.command()
@takes_options("model", "device")
def peers(
    *,
    workspace: Workspace = None,
    cases: Annotated[
        Path | None, typer.Option(help="Holes as JSON lines, not chosen by the seed.", metavar="FILE")
    ] = None,
    projects: Annotated[
        str | None,
        typer.Option(
            help="Pinned projects instead: flask, requests, werkzeug, httpx, psutil (C), or all.", metavar="NAMES"
        ),
    ] = None,
    kinds: Annotated[str, typer.Option(help="Kinds of holes: line, block, body.", metavar="KINDS")] = "block,body",
    per_kind: Annotated[int, typer.Option(min=1, help="Holes of each kind to choose.")] = 8,
    seed: Annotated[int, typer.Option(help="Another seed chooses other holes.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only so many holes, spread over the kinds.")] = None,
    names: Annotated[
        str, typer.Option("--peers", help="Beginnings of names, with commas: REST, llama.cpp, …", metavar="NAMES")
    ] = "all",
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the report to this file.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Complete the same holes with other methods and programs, in turns, with the same weights and stop rules.

    REST's and SuffixDecoding's rules run in our engine. transformers and llama.cpp are measured when they are installed
    with `pip install "rest-lsp[peers]"`; name those that you want.

        rest-lsp bench peers --limit 6 --peers REST,llama.cpp

        rest-lsp bench peers --projects all --per-kind 2 --peers REST,Suffix,llama.cpp
    """
    from rest_lsp.bench.peers import PeersOptions, run_peers

    options = PeersOptions(
        workspace=workspace, cases=cases, projects=projects, kinds=kinds, per_kind=per_kind, seed=seed, limit=limit,
        peers=names, json=json, plot=plot, overrides=overrides,
    )  # fmt: skip
    if not run_peers(options):
        raise typer.Exit(1)


@app.command()
@takes_options("model", "device")
def humaneval(
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, max=164, help="Only so many of the 164 problems, at even distances.")
    ] = None,
    stores: Annotated[
        str, typer.Option(help="Sizes of the stores in millions of tokens, with commas.", metavar="SIZES")
    ] = "1,3,10,30",
    samplings: Annotated[
        str, typer.Option("--sampling", help="greedy, nucleus (T 0.8, p 0.95), or both with a comma.", metavar="NAMES")
    ] = "greedy,nucleus",
    nodes: Annotated[
        int | None, typer.Option(min=1, max=64, help="Draft this many tokens per pass. Default: measured costs decide.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Keep each text in this file, and go on from it.", metavar="FILE"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw how it scales to this file.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Repeat the experiment of REST's paper: HumanEval, plain and with drafts from library code, and pass@1 of both.

    The stores are made of the standard library, installed packages and pinned projects; they are kept in the cache
    folder. Generated programs run in processes with limits and without network. With --results, a
    run that was cut goes on.

        rest-lsp bench humaneval --limit 41 --stores 1,10 --results humaneval.jsonl
    """
    from rest_lsp.bench.humaneval import HumanEvalOptions, run_humaneval

    options = HumanEvalOptions(
        limit=limit, stores=stores, samplings=samplings, nodes=nodes, results=results, json=json, plot=plot,
        overrides=overrides,
    )  # fmt: skip
    if not run_humaneval(options):
        raise typer.Exit(1)


@app.command()
@takes_options("model", "device")
def calibrate(
    *,
    per_kind: Annotated[int, typer.Option(min=1, help="Holes of each kind to choose in each project.")] = 8,
    seed: Annotated[int, typer.Option(help="Another seed chooses other holes.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Write the fitted weights to this file.", metavar="OUT")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw promised against kept chances.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Fit the confidence in drafts to what the model writes in some pinned projects, and test it on others.

    Prints the loss on the held-out projects, and how often guesses of each promised chance came true.

        rest-lsp bench calibrate --output rest_lsp/drafting/prior.json --plot reliability.png
    """
    from rest_lsp.bench.calibrate import CalibrateOptions, run_calibrate

    run_calibrate(CalibrateOptions(per_kind=per_kind, seed=seed, output=output, plot=plot, overrides=overrides))


@app.command()
@takes_options("model", "device")
def through(
    *,
    projects: Annotated[str, typer.Option(help="Pinned projects, with commas, or all.", metavar="NAMES")] = "all",
    per_kind: Annotated[int, typer.Option(min=1, help="Holes of each kind to choose in each project.")] = 3,
    seed: Annotated[int, typer.Option(help="Another seed chooses other holes.")] = 1,
    json: Annotated[Path | None, typer.Option(help="Write the whole report to this file.", metavar="OUT")] = None,
    overrides: Overrides,
) -> None:
    """Type what was suggested, every key asking the model: tokens per pass, and what a key makes it read.

    The last key of each hole is also answered without drafts; the exit code is 1 when the tokens differ.

        rest-lsp bench through --projects flask,httpx
    """
    from rest_lsp.bench.through import ThroughOptions, run_through

    options = ThroughOptions(projects=projects, per_kind=per_kind, seed=seed, json=json, overrides=overrides)
    if not run_through(options):
        raise typer.Exit(1)


@app.command()
def demo() -> None:
    """Complete code of this very repository, without and with drafts, and show each completion.

    Names for each what it took and which files and lines its drafts came from; `make demo` runs it.

        rest-lsp bench demo
    """
    from rich.console import Console

    from rest_lsp.bench.demo import run_demo

    if not run_demo(Console()):
        raise typer.Exit(1)
