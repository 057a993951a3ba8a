"""`rest-lsp bench index` and `bench retrieval`: the datastore by itself, without a model's weights."""

from __future__ import annotations

import json as json_format
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from rest_lsp.cli_options import Overrides, settings_for, takes_options
from rest_lsp.errors import RestLspError

if TYPE_CHECKING:
    from rest_lsp.bench.store_retrieval import Latency

JsonPath = Annotated[Path | None, typer.Option(help="Write the figures to this file.", metavar="OUT")]


@takes_options("model")
def index(
    *,
    sizes: Annotated[
        str, typer.Option(help="Tokens of the workspace, about, with commas.", metavar="SIZES")
    ] = "10000000",
    json: JsonPath = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures against size.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Build an index of installed libraries and keep it current: rates, memory, disk, resuming, saves, branches.

    rest-lsp bench index --sizes 1000000,3000000,10000000 --json index.json --plot index.png
    """
    from rest_lsp.bench.machine import this_machine
    from rest_lsp.bench.plot import check_plotting
    from rest_lsp.bench.store_index import measure
    from rest_lsp.bench.store_plot import write_index_plot
    from rest_lsp.workspace import tokenizer_path

    if plot:
        check_plotting()
    wanted = _sizes(sizes)
    console = Console(stderr=True)
    path, machine = tokenizer_path(settings_for(None, overrides)), this_machine()
    found = [measure(path, size, console.log) for size in wanted]
    columns = [figures.to_json() for figures in found]
    table = Table("figure", *(f"{size / 1e6:g} M" for size in wanted))
    for name in columns[0]:
        table.add_row(name.replace("_", " "), *(_number(column[name]) for column in columns))
    Console().print(table)
    if plot:
        write_index_plot(plot, found, machine.label)
    _finish({"machine": machine.to_json(), "index": columns}, json)


@takes_options("model")
def retrieval(
    *,
    sizes: Annotated[
        str, typer.Option(help="Tokens of the datastore, rising, with commas.", metavar="SIZES")
    ] = "1000000,3000000,10000000",
    queries: Annotated[int, typer.Option(min=10, help="Contexts from files that are held out.")] = 3000,
    json: JsonPath = None,
    plot: Annotated[Path | None, typer.Option(help="Draw cost against size.", metavar="OUT.png")] = None,
    overrides: Overrides,
) -> None:
    """Time lookups and drafts by the size of the datastore, beside a merge, and beside REST's rule and infini-gram.

    rest-lsp bench retrieval --json retrieval.json --plot retrieval.png
    """
    from rest_lsp.bench.machine import this_machine
    from rest_lsp.bench.plot import check_plotting
    from rest_lsp.bench.store_plot import write_store_plot
    from rest_lsp.bench.store_retrieval import measure
    from rest_lsp.bench.store_text import read_corpus
    from rest_lsp.tokenizer import Tokenizer
    from rest_lsp.workspace import tokenizer_path

    if plot:
        check_plotting()
    wanted = _sizes(sizes)
    console = Console(stderr=True)
    console.log("reading text")
    tokenizer = Tokenizer.from_file(tokenizer_path(settings_for(None, overrides)))
    corpus = read_corpus(tokenizer, wanted[-1], queries)
    found = list(measure(corpus, wanted, console.log))
    Console().print(_latencies(found))
    machine = this_machine()
    if plot:
        write_store_plot(plot, found, machine.label)
    _finish({"machine": machine.to_json(), "retrieval": [one.to_json() for one in found]}, json)


def _sizes(text: str) -> list[int]:
    try:
        found = sorted(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        found = []
    if not found or found[0] < 10_000:
        raise RestLspError(
            f"{text!r} are no sizes.", "Give numbers of at least 10000 with commas, as in 1000000,3000000."
        )
    return found


def _number(value: float) -> str:
    return f"{value:,}" if value == int(value) else f"{value:,.3g}"


def _latencies(found: Sequence[Latency]) -> Table:
    """What fits a terminal; tokens and processor time are in the JSON."""
    table = Table(Column("arrangement", no_wrap=True), "parts", "p50 ms", "p99 ms", "max ms", "> 2 ms")
    for one in found:
        table.add_row(
            one.name, str(one.segments), f"{one.p50:.3f}", f"{one.p99:.3f}", f"{one.maximum:.2f}", str(one.stalls)
        )
    return table


def _finish(report: dict[str, Any], path: Path | None) -> None:
    """The last line is JSON, for programs."""
    text = json_format.dumps(report)
    print(text)
    if path:
        path.write_text(text + "\n", encoding="utf-8")
